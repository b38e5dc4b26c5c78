/* flood N [M] writes N bytes to stdout and M bytes to stderr, in turns of at most
 * 16 KiB. The text is lines of 16 bytes, each the offset of its beginning in
 * decimal: so a byte that is lost, repeated or out of order shows. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 16, TURN = 16384 };

/* line is the text of the next line of a stream, counted up in decimal. */
struct stream {
    int fd;
    long long at, end;
    char line[LINE];
};

static void start(struct stream *s, int fd, long long end) {
    s->fd = fd;
    s->at = 0;
    s->end = end;
    memset(s->line, '0', LINE - 1);
    s->line[LINE - 1] = '\n';
}

/* next adds LINE to the number. */
static void next(char *line) {
    int add = LINE;
    for (char *d = line + LINE - 2; add && d >= line; d--) {
        int v = *d - '0' + add % 10;
        add /= 10;
        if (v > 9) {
            v -= 10;
            add++;
        }
        *d = '0' + v;
    }
}

/* turn writes the stream's next bytes. */
static void turn(struct stream *s) {
    static char buf[TURN];
    long long n = s->end - s->at < TURN ? s->end - s->at : TURN;
    for (long long i = 0; i < n; i += LINE) {
        memcpy(buf + i, s->line, LINE);
        next(s->line);
    }
    for (long long done = 0; done < n;) {
        ssize_t m = write(s->fd, buf + done, n - done);
        if (m < 0) _exit(1);
        done += m;
    }
    s->at += n;
}

int main(int argc, char **argv) {
    struct stream out, err;
    if (argc < 2) {
        static const char usage[] = "usage: flood BYTES [BYTES_TO_STDERR]\n";
        write(2, usage, sizeof usage - 1);
        return 2;
    }
    start(&out, 1, atoll(argv[1]));
    start(&err, 2, argc > 2 ? atoll(argv[2]) : 0);
    while (out.at < out.end || err.at < err.end) {
        if (out.at < out.end) turn(&out);
        if (err.at < err.end) turn(&err);
    }
    return 0;
}
