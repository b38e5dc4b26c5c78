/* flood N [M] writes N bytes to stdout and M bytes to stderr, in turns of at most
 * 16 KiB. The text is lines of 16 bytes, each the offset of its beginning in
 * decimal: so a byte that is lost, repeated or out of order shows. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 16, TURN = 16384 };

static char buf[TURN];

/* turn writes the bytes of fd from offset at on; it returns how many. */
static long long turn(int fd, long long at, long long end) {
    long long n = end - at < TURN ? end - at : TURN;
    for (long long i = 0; i < n; i += LINE) {
        long long v = at + i;
        for (int d = LINE - 2; d >= 0; d--, v /= 10) buf[i + d] = '0' + v % 10;
        buf[i + LINE - 1] = '\n';
    }
    for (long long done = 0; done < n;) {
        ssize_t m = write(fd, buf + done, n - done);
        if (m < 0) _exit(1);
        done += m;
    }
    return n;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        static const char usage[] = "usage: flood BYTES [BYTES_TO_STDERR]\n";
        write(2, usage, sizeof usage - 1);
        return 2;
    }
    long long out = atoll(argv[1]), err = argc > 2 ? atoll(argv[2]) : 0;
    for (long long i = 0, j = 0; i < out || j < err;) {
        if (i < out) i += turn(1, i, out);
        if (j < err) j += turn(2, j, err);
    }
    return 0;
}
