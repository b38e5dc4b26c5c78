/* digest prints the SHA-256 of its input, computed by the node: it needs
 * --grant hash. The input is read whole, as a digest takes one piece of memory. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wnode.h>

int main(void) {
    size_t n = 0, room = 1 << 16;
    char *data = malloc(room);
    for (ssize_t got = 1; data && got > 0; n += (size_t)got) {
        if (n == room && !(data = realloc(data, room *= 2))) break;
        if ((got = read(0, data + n, room - n)) < 0) {
            perror("digest: stdin");
            return 1;
        }
    }
    if (!data) {
        fputs("digest: the input does not fit in memory\n", stderr);
        return 1;
    }
    unsigned char sum[32];
    if (wnode_sha256(data, n, sum) != 0) return 1;
    for (int i = 0; i < 32; i++) printf("%02x", sum[i]);
    printf("\n");
    return 0;
}
