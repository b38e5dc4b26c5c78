/* wordcount FILE... prints each word of the files and how often it is there, in the
 * order of the words. With no arguments it reads such lines, and adds up what they say
 * of the same word. Many files are so counted on many nodes:
 *
 *     wnode map --on NODES --dir books::/books:ro wordcount.wasm /books/{} ::: *.txt | wnode run wordcount.wasm
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    unsigned long long count;
} word;

static word *table; /* open addressing: a power of two, at most half full */
static size_t size, used;

static word *find(const char *text) {
    size_t h = 2166136261u; /* FNV-1a */
    for (const char *c = text; *c; c++) h = (h ^ (unsigned char)*c) * 16777619u;
    while (table[h & (size - 1)].text && strcmp(table[h & (size - 1)].text, text) != 0) h++;
    return &table[h & (size - 1)];
}

static void *must(void *p) {
    if (p == NULL) {
        fputs("wordcount: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static void add(const char *text, unsigned long long n) {
    if (used * 2 >= size) {
        word *old = table;
        size_t count = size;
        size = size ? size * 2 : 1024;
        table = must(calloc(size, sizeof *table));
        for (size_t i = 0; i < count; i++)
            if (old[i].text) *find(old[i].text) = old[i];
        free(old);
    }
    word *w = find(text);
    if (w->text == NULL) {
        w->text = must(strdup(text));
        used++;
    }
    w->count += n;
}

/* count adds the words of a file: letters of ASCII, made small, and any other bytes
 * of UTF-8. */
static void count(FILE *f) {
    char text[256];
    size_t n = 0;
    for (int c = getc(f); ; c = getc(f)) {
        if (c != EOF && (isalpha(c) || c >= 0x80)) {
            if (n < sizeof text - 1) text[n++] = (char)tolower(c);
            continue;
        }
        text[n] = 0;
        if (n > 0) add(text, 1);
        n = 0;
        if (c == EOF) return;
    }
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const word *)a)->text, ((const word *)b)->text);
}

int main(int argc, char **argv) {
    char line[512];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "r");
        if (f == NULL) {
            fputs("wordcount: cannot read ", stderr), fputs(argv[i], stderr), fputs("\n", stderr);
            return 1;
        }
        count(f);
        fclose(f);
    }
    while (argc == 1 && fgets(line, sizeof line, stdin)) {
        char *n = strchr(line, ' ');
        if (n == NULL) continue;
        *n = 0;
        add(line, strtoull(n + 1, NULL, 10));
    }
    size_t at = 0;
    for (size_t i = 0; i < size; i++)
        if (table[i].text) table[at++] = table[i];
    if (at > 0) qsort(table, at, sizeof *table, by_text);
    for (size_t i = 0; i < at; i++) {
        char number[24] = {0}, *digit = number + sizeof number - 1;
        for (unsigned long long n = table[i].count; digit == number + sizeof number - 1 || n > 0; n /= 10)
            *--digit = (char)('0' + n % 10);
        fputs(table[i].text, stdout), putchar(' '), puts(digit);
    }
    return 0;
}
