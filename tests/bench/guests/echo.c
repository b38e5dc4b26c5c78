/* echo is a library as small as one can be: it returns the 64 bytes that it is given. It is
 * built without a C library. */
#include <wnode.h>

static char bytes[64];

WNODE_EXPORT(echo) void echo(void) {
    uint32_t n;
    if (wnode_input(bytes, sizeof bytes, &n) == 0) wnode_output(bytes, n);
}
