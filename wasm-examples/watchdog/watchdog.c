/* watchdog keeps a process alive: it starts one, watches it, and starts another when
 * that ends:
 *
 *     watchdog TIMES NODE [MODULE [args...]]
 *
 * TIMES is how often it does; MODULE is what the node calls so, or without one this
 * module itself, as a worker that fails at once. The worker has the name "worker" on
 * its node. */
#include <stdio.h>
#include <stdlib.h>
#include <wnode.h>

int main(int argc, char **argv) {
    if (argc == 1) { /* the worker: it cannot be told from the command line that it fails */
        fprintf(stderr, "worker: failing\n");
        return 3;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: watchdog TIMES NODE [MODULE [args...]]\n");
        return 2;
    }
    wnode_node node;
    if (wnode_node_find(argv[2], &node)) {
        fprintf(stderr, "watchdog: no node %s\n", argv[2]);
        return 1;
    }
    wnode_spec spec = {.node = &node, .name = "worker", .flags = WNODE_MONITOR};
    if (argc > 3) {
        spec.module = argv[3];
        spec.args = (const char *const *)(argv + 4);
    }
    for (long left = strtol(argv[1], NULL, 10); left > 0; left--) {
        wnode_pid pid;
        wnode_match down = {.kinds = 1 << WNODE_DOWN};
        struct { wnode_message head; wnode_reason why; char text[4096]; } m;
        uint32_t n;
        if (wnode_spawn(&spec, &pid, &down.ref)) return 1;
        printf("watchdog: started\n");
        fflush(stdout);
        if (wnode_receive(&down, &m, sizeof m, WNODE_FOREVER, &n)) return 1;
        printf("watchdog: it ended: %.*s %u\n", (int)m.why.word, m.text, (unsigned)m.why.code);
        fflush(stdout);
    }
    return 0;
}
