/* first is a process as small as one can be: it sends its parent one message, and
 * ends. It is built without a C library. */
#include <wnode.h>

WNODE_EXPORT(_start) void _start(void) {
    wnode_pid parent;
    if (wnode_parent(&parent) == 0) wnode_send(&parent, 0, NULL, 0);
}
