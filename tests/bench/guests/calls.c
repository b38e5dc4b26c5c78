/* calls measures calls:
 *
 *     calls MODULE EXPORT ROUNDS CALLERS [NODE]   of an export, with 64 bytes
 *     calls NAME - ROUNDS CALLERS [NODE]          of the server with that name
 *
 * one after the other, and then by so many processes, that are this one's children. */
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

static wnode_node node;
static const char *name;
static char input[64];
static struct { wnode_message head; char data[1024]; } got;
static wnode_spec spec = {.flags = WNODE_CALLED | WNODE_NO_INPUT, .input = input, .input_size = sizeof input};

/* call makes one call. */
static void call(void) {
    wnode_ref ref;
    wnode_pid pid;
    uint32_t n;
    if (spec.entry) {
        if (wnode_spawn(&spec, &pid, &ref)) exit(2);
    } else {
        if (wnode_monitor_name(&node, name, strlen(name), &ref)) exit(2);
        if (wnode_send_name_kind(&node, name, strlen(name), WNODE_CALL, 0, &ref, "inc 1", 5)) exit(3);
    }
    if (wnode_await(&ref, &got, sizeof got, WNODE_FOREVER, &n) || got.head.kind != WNODE_REPLY) {
        printf("no answer: %.*s\n", (int)got.head.length, got.data);
        exit(4);
    }
}

int main(int argc, char **argv) {
    if (argc < 5) return 1;
    wnode_this_node(&node);
    if (argc > 5 && wnode_node_find(argv[5], &node)) return 1;
    spec.node = &node;
    spec.module = name = argv[1];
    if (strcmp(argv[2], "-")) spec.entry = argv[2];
    long rounds = atol(argv[3]), callers = atol(argv[4]);
    if (callers == 0) { /* a child */
        while (rounds--) call();
        return 0;
    }
    for (int i = 0; i < 100; i++) call(); /* the first ones have it compiled */
    double *took = malloc((size_t)rounds * sizeof *took);
    for (long i = 0; i < rounds; i++) {
        double begin = now();
        call();
        took[i] = now() - begin;
    }
    qsort(took, (size_t)rounds, sizeof *took, by_size);
    printf("p50 %.1f p99 %.1f us\n", took[rounds / 2], took[rounds * 99 / 100]);
    const char *args[] = {argv[1], argv[2], argv[3], "0", argc > 5 ? argv[5] : NULL, NULL};
    wnode_spec child = {.args = args, .flags = WNODE_MONITOR | WNODE_NO_INPUT};
    double begin = now();
    for (long i = 0; i < callers; i++) {
        wnode_pid pid;
        wnode_ref ref;
        if (wnode_spawn(&child, &pid, &ref)) return 5;
    }
    for (long i = 0; i < callers; i++) {
        uint32_t n;
        if (wnode_receive(NULL, &got, sizeof got, WNODE_FOREVER, &n) || got.head.kind != WNODE_DOWN || got.head.end != WNODE_END_RETURNED) return 6;
    }
    printf("%.0f calls/s\n", (double)rounds * (double)callers / (now() - begin) * 1e6);
    return 0;
}
