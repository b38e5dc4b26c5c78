/* chat is a room: a group of processes, one for each terminal. What one types, all
 * others see, on whatever node they run:
 *
 *     wnode run --on kate chat.wasm NAME
 *
 * It waits for its input and for messages at once. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wnode.h>

static const char room[] = "chat";
static const char *name;

static void tell(const char *format, const char *text, size_t n) {
    char line[1400];
    int len = snprintf(line, sizeof line, format, name, (int)n, text);
    if (len < 0) return;
    if ((size_t)len >= sizeof line) len = sizeof line - 1;
    static wnode_pid members[1000];
    uint32_t bytes = 0;
    wnode_pid self;
    wnode_self(&self);
    if (wnode_members(room, members, sizeof members, &bytes)) return;
    for (uint32_t i = 0; i < bytes / sizeof *members; i++)
        if (!wnode_pid_equal(&members[i], &self)) wnode_send(&members[i], 0, line, (size_t)len);
}

static void show(void) {
    struct { wnode_message head; char text[1400]; } m;
    uint32_t n;
    while (wnode_receive(NULL, &m, sizeof m, 0, &n) == 0)
        if (m.head.kind == WNODE_DATA) write(1, m.text, m.head.length);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: chat NAME\n");
        return 2;
    }
    name = argv[1];
    uint32_t mailbox;
    if (wnode_mailbox_fd(&mailbox) || wnode_join(room)) return 1;
    tell("* %s came%.*s\n", "", 0);
    for (;;) {
        struct pollfd wait[] = {{.fd = 0, .events = POLLIN}, {.fd = (int)mailbox, .events = POLLIN}};
        if (poll(wait, 2, -1) < 0) return 1;
        if (wait[1].revents) show();
        if (wait[0].revents) {
            char text[1024];
            ssize_t n = read(0, text, sizeof text);
            if (n <= 0) break;
            while (n > 0 && text[n - 1] == '\n') n--;
            if (n > 0) tell("%s: %.*s\n", text, (size_t)n);
        }
    }
    wnode_leave(room);
    tell("* %s left%.*s\n", "", 0);
    return 0;
}
