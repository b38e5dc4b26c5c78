/* yes BYTES writes as many bytes of "y" lines as fast as it can: what is slow is
 * not the guest. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char buf[1 << 16];
    if (argc != 2) {
        static const char usage[] = "usage: yes BYTES\n";
        write(2, usage, sizeof usage - 1);
        return 2;
    }
    for (unsigned i = 0; i < sizeof buf; i += 2) {
        buf[i] = 'y';
        buf[i + 1] = '\n';
    }
    for (long long left = atoll(argv[1]); left > 0;) {
        ssize_t n = write(1, buf, left < (long long)sizeof buf ? (size_t)left : sizeof buf);
        if (n < 0) return 1;
        left -= n;
    }
    return 0;
}
