/* stream sends numbered messages to a process on another node for as long as that
 * lives, and shows what is known of a process when its node is lost:
 *
 *     stream NODE
 *
 * The one that sends writes to stderr, the other one, which it starts on the node, to
 * stdout: the numbers that it got, and from then on what it hears of its parent. Who
 * is left waits for data: "again" has it look for the other one once more, "quit" ends
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <wnode.h>

static FILE *out;

static struct {
    wnode_message head;
    char data[128 << 10];
} in;

static int fail(const char *what, int status) {
    fprintf(stderr, "stream: %s: status %d\n", what, status);
    return 1;
}

/* size is how long a message is: some are sent in parts. */
static size_t size(uint64_t number) { return number % 64 == 0 ? 100000 : 8 + number % 50; }

/* why prints the reason of an exit or a down. */
static void why(const char *what) {
    wnode_reason r;
    memcpy(&r, in.data, sizeof r);
    fprintf(out, "%s %.*s\n", what, (int)r.word, in.data + sizeof r);
}

/* again watches a process, and links with it, that ended with its node. */
static void again(const wnode_pid *other) {
    wnode_match down = {.kinds = 1 << WNODE_DOWN}, gone = {.kinds = 1 << WNODE_EXIT};
    uint32_t n;
    wnode_monitor(other, &down.ref);
    if (wnode_receive(&down, &in, sizeof in, WNODE_FOREVER, &n) == 0) why("again: down");
    wnode_link(other);
    if (wnode_receive(&gone, &in, sizeof in, WNODE_FOREVER, &n) == 0) why("again: exit");
}

/* mourn tells what is heard of the other one, in what order it comes. */
static int mourn(const wnode_pid *other, const char *name) {
    wnode_match any = {.kinds = 1 << WNODE_EXIT | 1 << WNODE_DOWN | 1 << WNODE_NODEDOWN | 1 << WNODE_DATA};
    for (;;) {
        uint32_t n;
        fflush(out);
        int e = wnode_receive(&any, &in, sizeof in, WNODE_FOREVER, &n);
        if (e) return fail("receive", e);
        switch (in.head.kind) {
        case WNODE_EXIT: why(wnode_pid_equal(&in.head.from, other) ? "exit" : "exit of another"); break;
        case WNODE_DOWN: why(wnode_pid_equal(&in.head.from, other) ? "down" : "down of another"); break;
        case WNODE_NODEDOWN: {
            wnode_pid who;
            fprintf(out, "nodedown %.*s\n", (int)in.head.length, in.data);
            fprintf(out, "%s\n", wnode_whereis(WNODE_IN_CLUSTER, name, &who) == WNODE_ESRCH ? "no name" : "a name is left");
            break;
        }
        default:
            if (in.head.length == 4 && memcmp(in.data, "quit", 4) == 0) return 0;
            if (in.head.length == 5 && memcmp(in.data, "again", 5) == 0) again(other);
        }
    }
}

static int receive(void) {
    wnode_pid parent;
    wnode_ref ref;
    wnode_node node;
    out = stdout;
    wnode_parent(&parent);
    memcpy(&node, &parent, sizeof node);
    wnode_trap_exit(1, NULL);
    wnode_register(WNODE_IN_CLUSTER, "receiver");
    wnode_monitor(&parent, &ref);
    wnode_monitor_node(&node, 1);
    printf("ready\n");
    for (wnode_match m = {.kinds = 1 << WNODE_DATA | 1 << WNODE_DOWN};;) {
        uint32_t n;
        int e = wnode_receive(&m, &in, sizeof in, 0, &n);
        if (e == WNODE_ETIMEDOUT) {
            fflush(out);
            e = wnode_receive(&m, &in, sizeof in, WNODE_FOREVER, &n);
        }
        if (e) return fail("receive", e);
        if (in.head.kind == WNODE_DOWN) {
            why("down");
            return mourn(&parent, "sender");
        }
        uint64_t number = in.head.tag;
        size_t wrong = in.head.length == size(number) ? 0 : 1;
        for (size_t i = 0; i < in.head.length; i++) wrong += in.data[i] != (char)number;
        printf(wrong ? "%llu with %u bytes is not what was sent\n" : "%llu\n", (unsigned long long)number, (unsigned)in.head.length);
    }
}

static int send(const char *to) {
    static char data[128 << 10];
    wnode_node node;
    wnode_pid other;
    wnode_ref ref;
    out = stderr;
    wnode_trap_exit(1, NULL);
    wnode_register(WNODE_IN_CLUSTER, "sender");
    int e = wnode_node_find(to, &node);
    if (e) return fail(to, e);
    wnode_monitor_node(&node, 1);
    const char *const args[] = {"-", NULL};
    wnode_spec spec = {.node = &node, .args = args, .name = "receiver", .flags = WNODE_LINK | WNODE_MONITOR};
    if ((e = wnode_spawn(&spec, &other, &ref))) return fail("spawn", e);
    fprintf(out, "started\n");
    wnode_match end = {.kinds = 1 << WNODE_EXIT | 1 << WNODE_DOWN};
    for (uint64_t number = 1;; number++) {
        uint64_t first = 0;
        uint32_t n;
        memset(data, (char)number, size(number));
        if ((e = wnode_send(&other, number, data, size(number)))) return fail("send", e);
        if (wnode_peek(&end, &first, &in, sizeof in, &n) == 0) return mourn(&other, "receiver");
    }
}

int main(int argc, char **argv) {
    if (argc == 2) return strcmp(argv[1], "-") == 0 ? receive() : send(argv[1]);
    fprintf(stderr, "usage: stream NODE\n");
    return 2;
}
