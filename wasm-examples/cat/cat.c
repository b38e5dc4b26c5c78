/* cat copies stdin, or the files it is given ("-" is stdin), to stdout, byte
 * for byte and as it arrives. Exit code 1 when a file could not be read. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void complain(const char *name) {
    const char *parts[] = {"cat: ", name, ": ", strerror(errno), "\n"};
    for (int i = 0; i < 5; i++) write(2, parts[i], strlen(parts[i]));
}

/* copy returns 0, or -1 with errno set. */
static int copy(int fd) {
    static char buf[16384];
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n <= 0) return (int)n;
        for (ssize_t done = 0; done < n;) {
            ssize_t m = write(1, buf + done, n - done);
            if (m < 0) return -1;
            done += m;
        }
    }
}

int main(int argc, char **argv) {
    int code = 0;
    if (argc < 2 && copy(0) < 0) {
        complain("stdin");
        code = 1;
    }
    for (int i = 1; i < argc; i++) {
        int fd = strcmp(argv[i], "-") == 0 ? 0 : open(argv[i], O_RDONLY);
        if (fd < 0 || copy(fd) < 0) {
            complain(argv[i]);
            code = 1;
        }
        if (fd > 0) close(fd);
    }
    return code;
}
