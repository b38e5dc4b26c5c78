/* ask holds a conversation: a prompt, a line read, an answer, nothing held back
 * in between. An empty line or the end of stdin ends it. With an argument it waits
 * for a message before each line: detached, its stdin is at its end
 * until a terminal is attached. */
#include <string.h>
#include <unistd.h>
#include <wnode.h>

static void put(const char *s) { write(1, s, strlen(s)); }

/* line reads up to a newline, which is left out; -1 at the end of stdin. It
 * takes single bytes, so that it never asks for more than the line. */
static int line(char *buf, int size) {
    int n = 0;
    char c;
    while (read(0, &c, 1) == 1) {
        if (c == '\n') {
            buf[n] = 0;
            return n;
        }
        if (n < size - 1 && c != '\r') buf[n++] = c;
    }
    buf[n] = 0;
    return n > 0 ? n : -1;
}

/* wait waits for a message if it is to. */
static void wait(int patient) {
    static struct { wnode_message head; char data[256]; } m;
    uint32_t n;
    if (patient) wnode_receive(NULL, &m, sizeof m, WNODE_FOREVER, &n);
}

int main(int argc, char **argv) {
    (void)argv;
    const int patient = argc > 1;
    static char name[256], said[4096];
    wait(patient);
    put("What is your name? ");
    if (line(name, sizeof name) <= 0) {
        put("\nGoodbye, whoever you are.\n");
        return 0;
    }
    put("Hello, ");
    put(name);
    put("!\n");
    for (;;) {
        wait(patient);
        put("> ");
        if (line(said, sizeof said) <= 0) break;
        for (char *c = said; *c; c++)
            if (*c >= 'a' && *c <= 'z') *c -= 'a' - 'A';
        put(said);
        put("\n");
    }
    put("Goodbye, ");
    put(name);
    put(".\n");
    return 0;
}
