/* spawn measures how long it takes from a spawn to the child's first message:
 *
 *     spawn MODULE ROUNDS AT_ONCE [NODE]
 *
 * of the module, on the node, one after the other, and then how many a second if so
 * many are under way, unless that is 0. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wnode.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static wnode_spec spec = {.flags = WNODE_NO_INPUT};

static void start(void) {
    wnode_pid child;
    if (wnode_spawn(&spec, &child, NULL)) exit(2);
}

static void first(void) {
    wnode_message m;
    uint32_t n;
    if (wnode_receive(NULL, &m, sizeof m, WNODE_FOREVER, &n)) exit(3);
}

int main(int argc, char **argv) {
    wnode_node node;
    if (argc < 4) return 1;
    if (argc > 4 && wnode_node_find(argv[4], &node)) return 2;
    if (argc > 4) spec.node = &node;
    spec.module = argv[1];
    long rounds = atol(argv[2]), at_once = atol(argv[3]);
    double *took = malloc((size_t)rounds * sizeof *took);
    for (long i = -100; i < rounds; i++) { /* the first ones have it compiled */
        double begin = now();
        start();
        first();
        if (i >= 0) took[i] = now() - begin;
    }
    qsort(took, (size_t)rounds, sizeof *took, by_size);
    printf("p50 %.1f p99 %.1f us\n", took[rounds / 2], took[rounds * 99 / 100]);
    if (at_once == 0) return 0;
    double begin = now();
    for (long i = 0; i < at_once; i++) start();
    for (long i = 0; i < rounds; i++) {
        first();
        start();
    }
    for (long i = 0; i < at_once; i++) first();
    printf("%.0f spawns/s\n", (double)(rounds + at_once) / (now() - begin) * 1e6);
    return 0;
}
