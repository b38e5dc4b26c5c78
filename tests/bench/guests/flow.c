/* flow sends messages one way:
 *
 *     flow SIZE COUNT [NODE [ROUNDS]]
 *
 * to a partner on the node, which answers the last one, and prints how fast. With
 * ROUNDS it does not end before so many round trips between two others are measured
 * beside it, and prints these too. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wnode.h>

enum { item = 1, last = 2, ping = 3 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static char *buffer;
static size_t room;

static wnode_message *next(const wnode_match *m) {
    uint32_t n;
    if (wnode_receive(m, buffer, room, WNODE_FOREVER, &n)) exit(3);
    return (wnode_message *)buffer;
}

static int sink(void) {
    for (;;) {
        wnode_message *m = next(NULL);
        if (m->tag == item) continue;
        wnode_send(&m->from, m->tag, NULL, 0);
    }
}

/* measure does round trips with a partner of its own on the node, until its parent,
 * the sender, tells it to say how long they took. */
static int measure(const char *node, long rounds) {
    wnode_node at;
    if (wnode_node_find(node, &at)) return 2;
    const char *const args[] = {"sink", NULL};
    wnode_spec spec = {.args = args, .flags = WNODE_LINK, .node = &at};
    wnode_pid partner;
    if (wnode_spawn(&spec, &partner, NULL)) return 2;
    double *took = malloc((size_t)rounds * sizeof *took);
    char data[64] = {0};
    for (long i = -1; i < rounds; i++) {
        double begin = now();
        wnode_send(&partner, ping, data, sizeof data);
        next(NULL);
        if (i >= 0) took[i] = now() - begin;
    }
    qsort(took, (size_t)rounds, sizeof *took, by_size);
    printf("rounds p50 %.1f p99 %.1f us\n", took[rounds / 2], took[rounds * 99 / 100]);
    wnode_pid parent;
    wnode_parent(&parent);
    wnode_send(&parent, ping, NULL, 0);
    return 0;
}

int main(int argc, char **argv) {
    room = sizeof(wnode_message) + (argc > 1 && atol(argv[1]) > 0 ? (size_t)atol(argv[1]) : 16 << 20);
    if (!(buffer = malloc(room))) return 4;
    if (argc > 1 && strcmp(argv[1], "sink") == 0) return sink();
    if (argc > 3 && strcmp(argv[1], "measure") == 0) return measure(argv[2], atol(argv[3]));
    if (argc < 3) return 1;
    size_t size = (size_t)atol(argv[1]);
    long count = atol(argv[2]);
    char *data = calloc(1, size + 1);
    wnode_node node;
    const char *const args[] = {"sink", NULL};
    wnode_spec spec = {.args = args, .flags = WNODE_LINK};
    if (argc > 3 && wnode_node_find(argv[3], &node)) return 2;
    if (argc > 3) spec.node = &node;
    wnode_pid partner;
    if (wnode_spawn(&spec, &partner, NULL)) return 2;
    wnode_send(&partner, last, NULL, 0);
    next(NULL);
    if (argc > 4) {
        const char *const args[] = {"measure", argv[3], argv[4], NULL};
        wnode_spec spec = {.args = args, .flags = WNODE_LINK};
        wnode_pid pid;
        if (wnode_spawn(&spec, &pid, NULL)) return 2;
    }
    double begin = now();
    long sent = 0;
    for (uint32_t n; argc > 4 ? wnode_receive(NULL, buffer, room, 0, &n) != 0 : sent < count; sent++)
        wnode_send(&partner, item, data, size);
    wnode_send(&partner, last, NULL, 0);
    next(NULL);
    double us = now() - begin;
    printf("%ld messages of %zu bytes: %.0f messages/s, %.1f MB/s\n", sent, size, (double)sent / us * 1e6, (double)sent * (double)size / us);
    return 0;
}
