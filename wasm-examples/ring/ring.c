/* ring passes a message around a ring of processes:
 *
 *     ring PROCESSES ROUNDS [NODE...]
 *
 * Each process spawns the next one, on the next of the nodes in turn, and is linked
 * to it: when one ends, all do. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wnode.h>

enum { first = 1, token = 2 }; /* tags: the pid of the first process; a round */

struct { wnode_message head; uint64_t value; wnode_pid pid; } m;

static void receive(int tag) {
    wnode_match match = {.kinds = 1 << WNODE_DATA, .tag = (uint64_t)tag, .mask = ~0ull};
    uint32_t n;
    int e = wnode_receive(&match, &m, sizeof m, WNODE_FOREVER, &n);
    if (e) {
        fprintf(stderr, "ring: receive: status %d\n", e);
        exit(1);
    }
}

/* extend spawns the rest of the ring, args[0] processes, and returns the next one. */
static wnode_pid extend(char **args, int count) {
    char left[16], *next[64] = {"link", left};
    int n = 2;
    snprintf(left, sizeof left, "%ld", strtol(args[0], NULL, 10) - 1);
    /* The nodes, the one that is used now behind the others. */
    for (int i = 2; i < count && n < 62; i++) next[n++] = args[i];
    if (count > 1) next[n++] = args[1];
    wnode_node node;
    wnode_spec spec = {.args = (const char *const *)next, .flags = WNODE_LINK};
    if (count > 1) {
        int e = wnode_node_find(args[1], &node);
        if (e) {
            fprintf(stderr, "ring: no node %s\n", args[1]);
            exit(1);
        }
        spec.node = &node;
    }
    wnode_pid pid;
    int e = wnode_spawn(&spec, &pid, NULL);
    if (e) {
        fprintf(stderr, "ring: spawn: status %d\n", e);
        exit(1);
    }
    return pid;
}

/* A process of the ring that is not the first: it passes on what comes. */
static int link_of_ring(char **args, int count) {
    receive(first);
    wnode_pid next = m.pid;
    if (strtol(args[0], NULL, 10) > 0) {
        wnode_pid head = m.pid;
        next = extend(args, count);
        struct { uint64_t value; wnode_pid pid; } say = {0, head};
        wnode_send(&next, first, &say, sizeof say);
    }
    for (;;) {
        receive(token);
        wnode_send(&next, token, &m.value, sizeof m.value);
    }
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "link") == 0) return link_of_ring(argv + 2, argc - 2);
    long processes = argc > 1 ? strtol(argv[1], NULL, 10) : 0, rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (processes < 2 || processes > 100000 || rounds < 1) {
        fprintf(stderr, "usage: ring PROCESSES ROUNDS [NODE...], with 2 to 100000 processes\n");
        return 2;
    }
    char left[16];
    snprintf(left, sizeof left, "%ld", processes - 1);
    argv[2] = left;
    wnode_pid next = extend(argv + 2, argc - 2);
    struct { uint64_t value; wnode_pid pid; } say = {0};
    wnode_self(&say.pid);
    wnode_send(&next, first, &say, sizeof say);
    struct timespec begin, end;
    for (long i = -1; i < rounds; i++) { /* the first round waits until all have begun */
        if (i == 0) clock_gettime(CLOCK_MONOTONIC, &begin);
        uint64_t round = (uint64_t)(i + 1);
        wnode_send(&next, token, &round, sizeof round);
        receive(token);
        if (m.value != round) {
            fprintf(stderr, "ring: round %llu came as %llu\n", (unsigned long long)round, (unsigned long long)m.value);
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double us = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / 1e3;
    printf("%ld messages through %ld processes, %.2f us each\n", processes * rounds, processes, us / (double)(processes * rounds));
    wnode_exit("shutdown", ""); /* and with it all others */
}
