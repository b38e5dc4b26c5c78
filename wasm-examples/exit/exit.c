/* exit CODE ends with that code; exit trap ends with a trap. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 2) {
        static const char usage[] = "usage: exit CODE|trap\n";
        write(2, usage, sizeof usage - 1);
        return 2;
    }
    if (strcmp(argv[1], "trap") == 0) __builtin_trap();
    _exit(atoi(argv[1]));
}
