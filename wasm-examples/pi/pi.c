/* pi SAMPLES [NAME...] throws SAMPLES random points at a square, and prints NAME, how
 * many of them are within the circle in it, and SAMPLES. With no arguments it reads such
 * lines and prints what they say of pi:
 *
 *     seq 100 | wnode map --on NODES --seed 7 pi.wasm 1000000 | wnode run pi.wasm
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state[2];

/* next is xorshift128+ of Vigna. */
static uint64_t next(void) {
    uint64_t a = state[0], b = state[1];
    state[0] = b;
    a ^= a << 23;
    state[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return state[1] + b;
}

/* estimate reads lines, whose last two words are numbers. */
static int estimate(void) {
    char line[4096];
    unsigned long long inside = 0, samples = 0;
    while (fgets(line, sizeof line, stdin)) {
        char *last = strrchr(line, ' ');
        if (last == NULL) continue;
        *last = 0;
        char *before = strrchr(line, ' ');
        samples += strtoull(last + 1, NULL, 10);
        inside += strtoull(before ? before + 1 : line, NULL, 10);
    }
    if (samples == 0) return 1;
    printf("pi is about %.6f, by %llu samples\n", 4.0 * (double)inside / (double)samples, samples);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return estimate();
    unsigned long long samples = strtoull(argv[1], NULL, 10), inside = 0;
    if (getentropy(state, sizeof state) != 0) return 1;
    state[0] |= 1;
    for (unsigned long long i = 0; i < samples; i++) {
        uint64_t r = next();
        double x = (double)(uint32_t)r / 4294967296.0, y = (double)(r >> 32) / 4294967296.0;
        inside += x * x + y * y < 1;
    }
    for (int i = 2; i < argc; i++) printf("%s ", argv[i]);
    printf("%llu %llu\n", inside, samples);
    return 0;
}
