/* pingpong measures the round trip of a message between two processes:
 *
 *     pingpong [ROUNDS [NODE]]
 *
 * It spawns itself as the partner, on the node, which answers each message. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wnode.h>

enum { ping = 1, stop = 2 };

static int fail(const char *what, int status) {
    fprintf(stderr, "pingpong: %s: status %d\n", what, status);
    return 1;
}

static int answer(void) {
    struct { wnode_message head; char data[64]; } m;
    uint32_t n;
    while (wnode_receive(NULL, &m, sizeof m, WNODE_FOREVER, &n) == 0 && m.head.tag == ping)
        wnode_send(&m.head.from, ping, m.data, m.head.length);
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "answer") == 0) return answer();
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    if (rounds < 1 || rounds > 1000000) return fail("ROUNDS is 1 to 1000000", WNODE_EINVAL);
    wnode_node node;
    const char *const args[] = {"answer", NULL};
    wnode_spec spec = {.args = args, .flags = WNODE_LINK};
    if (argc > 2) {
        int e = wnode_node_find(argv[2], &node);
        if (e) return fail(argv[2], e);
        spec.node = &node;
    }
    wnode_pid partner;
    int e = wnode_spawn(&spec, &partner, NULL);
    if (e) return fail("spawn", e);
    double *took = malloc((size_t)rounds * sizeof *took);
    struct { wnode_message head; char data[64]; } m;
    uint32_t n;
    char data[64] = {0};
    for (long i = -1; i < rounds; i++) { /* the first one waits for the partner to begin */
        double begin = now();
        wnode_send(&partner, ping, data, sizeof data);
        e = wnode_receive(NULL, &m, sizeof m, WNODE_FOREVER, &n);
        if (e) return fail("receive", e);
        if (i >= 0) took[i] = now() - begin;
    }
    wnode_send(&partner, stop, NULL, 0);
    qsort(took, (size_t)rounds, sizeof *took, by_size);
    printf("%ld rounds, p50 %.2f us, p99 %.2f us\n", rounds, took[rounds / 2], took[rounds * 99 / 100]);
    return 0;
}
