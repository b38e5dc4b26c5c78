/* mandelbrot WIDTH HEIGHT TILES TILE computes one tile, some rows, of a picture of the
 * Mandelbrot set, and writes a byte for each point. mandelbrot WIDTH HEIGHT makes a PNG of
 * all tiles, one behind the other on its stdin. The tiles may be computed anywhere:
 *
 *     seq 32 | wnode map --on NODES mandelbrot.wasm 640 400 32 | wnode run mandelbrot.wasm 640 400 > m.png
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 1000, COLOURS = 64 };

/* point returns the colour of a point: 0 within the set. */
static unsigned char point(double cx, double cy) {
    double x = 0, y = 0;
    for (int i = 0; i < LIMIT; i++) {
        double x2 = x * x, y2 = y * y;
        if (x2 + y2 > 4) return (unsigned char)(1 + i % (COLOURS - 1));
        y = 2 * x * y + cy;
        x = x2 - y2 + cx;
    }
    return 0;
}

static void tile(int width, int height, int tiles, int n) {
    int begin = (int)((long long)height * (n - 1) / tiles), end = (int)((long long)height * n / tiles);
    double scale = 3.0 / width;
    for (int row = begin; row < end; row++)
        for (int col = 0; col < width; col++)
            putchar(point((col - width * 0.72) * scale, (row - height * 0.5) * scale));
}

/* A PNG is written as RFC 2083 and its compressed data as RFC 1951 say, of which this
 * uses one way alone: bytes, and repetitions of the last one, with the fixed codes. */
static unsigned char *data;
static size_t length;
static unsigned long bits;
static int held;

static void out(unsigned n) { data[length++] = (unsigned char)n; }

static void put_bits(unsigned value, int n) { /* the lowest first */
    for (bits |= (unsigned long)value << held, held += n; held >= 8; held -= 8, bits >>= 8) out(bits & 255);
}

static void put_code(unsigned code, int n) { /* of Huffman: the highest first */
    while (n-- > 0) put_bits(code >> n & 1, 1);
}

static void put_symbol(unsigned s) {
    if (s < 144) put_code(0x30 + s, 8);
    else if (s < 256) put_code(0x190 + s - 144, 9);
    else if (s < 280) put_code(s - 256, 7);
    else put_code(0xc0 + s - 280, 8);
}

/* put_repeat writes n more of the last byte: 3 to 258. */
static void put_repeat(unsigned n) {
    static const short base[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    int i = 28;
    while (base[i] > (int)n) i--;
    put_symbol(257 + (unsigned)i);
    if (i >= 8 && i < 28) put_bits(n - (unsigned)base[i], (i - 4) / 4);
    put_code(0, 5); /* distance 1 */
}

static void put32(uint32_t n) {
    for (int i = 24; i >= 0; i -= 8) out(n >> i & 255);
}

static void chunk(const char *type) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < 4; i++) data[i] = (unsigned char)type[i];
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    uint32_t n = (uint32_t)length - 4;
    unsigned char size[4] = {n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255};
    put32(~crc);
    fwrite(size, 1, 4, stdout);
    fwrite(data, 1, length, stdout);
    length = 4; /* of the next one's type */
}

static int png(int width, int height) {
    size_t rows = (size_t)(width + 1) * (size_t)height;
    unsigned char *picture = malloc(rows);
    data = malloc(rows * 2 + 1024);
    if (picture == NULL || data == NULL) return 1;
    for (int row = 0; row < height; row++) {
        unsigned char *line = picture + (size_t)row * (size_t)(width + 1);
        line[0] = 0; /* no filter */
        if (fread(line + 1, 1, (size_t)width, stdin) != (size_t)width) {
            fprintf(stderr, "mandelbrot: row %d is missing\n", row + 1);
            return 1;
        }
    }
    fputs("\x89PNG\r\n\x1a\n", stdout);
    length = 4;
    put32((uint32_t)width), put32((uint32_t)height);
    out(8), out(3), out(0), out(0), out(0); /* 8 bits, of a palette */
    chunk("IHDR");
    for (int i = 0; i < COLOURS; i++) { /* black; from dark blue to white and to brown */
        int up = i < COLOURS / 2 ? i : COLOURS - 1 - i, v = up * 255 / (COLOURS / 2 - 1);
        out(i == 0 ? 0 : (unsigned)(i < COLOURS / 2 ? v * v / 255 : v)), out(i == 0 ? 0 : (unsigned)v);
        out(i == 0 ? 0 : (unsigned)(i < COLOURS / 2 ? 60 + v * 195 / 255 : v * v / 255));
    }
    chunk("PLTE");
    out(0x78), out(0x01); /* RFC 1950 */
    put_bits(1, 1), put_bits(1, 2);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < rows;) {
        unsigned n = 0;
        while (i > 0 && i + n < rows && n < 258 && picture[i + n] == picture[i - 1]) n++;
        if (n >= 3) put_repeat(n);
        else put_symbol(picture[i]), n = 1;
        for (; n > 0; n--) {
            a = (a + picture[i++]) % 65521;
            b = (b + a) % 65521;
        }
    }
    put_symbol(256);
    if (held > 0) put_bits(0, 8 - held);
    put32(b << 16 | a);
    chunk("IDAT");
    chunk("IEND");
    return 0;
}

int main(int argc, char **argv) {
    int n[4] = {0};
    for (int i = 1; i < argc && i < 5; i++) n[i - 1] = atoi(argv[i]);
    if ((argc != 3 && argc != 5) || n[0] < 1 || n[1] < 1 || n[0] > 1 << 14 || n[1] > 1 << 14 ||
        (argc == 5 && (n[2] < 1 || n[3] < 1 || n[3] > n[2]))) {
        fputs("usage: mandelbrot WIDTH HEIGHT [TILES TILE]\n", stderr);
        return 2;
    }
    if (argc == 3) return png(n[0], n[1]);
    tile(n[0], n[1], n[2], n[3]);
    return 0;
}
