/* ask holds a conversation: a prompt, a line read, an answer, nothing held back
 * in between. An empty line or the end of stdin ends it. */
#include <string.h>
#include <unistd.h>

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

int main(void) {
    static char name[256], said[4096];
    put("What is your name? ");
    if (line(name, sizeof name) <= 0) {
        put("\nGoodbye, whoever you are.\n");
        return 0;
    }
    put("Hello, ");
    put(name);
    put("!\n");
    for (;;) {
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
