/* sh-like obeys commands from stdin, one a line:
 *
 *   echo TEXT         write FILE TEXT    sleep MS     exit N
 *   cat FILE          ls DIR             env          args
 *
 * Blank lines and lines that begin with # are passed over. A command that fails
 * says so on stderr; the exit code is that of exit, else 1 if any failed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int failed;

static void put(int fd, const char *s, size_t n) {
    while (n > 0) {
        ssize_t m = write(fd, s, n);
        if (m < 0) _exit(1);
        s += m;
        n -= m;
    }
}

static void say(int fd, const char *s) { put(fd, s, strlen(s)); }

static void fail(const char *what, const char *name, const char *why) {
    const char *parts[] = {"sh-like: ", what, " ", name, ": ", why, "\n"};
    for (int i = 0; i < 7; i++) say(2, parts[i]);
    failed = 1;
}

/* word cuts the next word off *rest. */
static char *word(char **rest) {
    char *w = *rest;
    while (*w == ' ') w++;
    char *end = w;
    while (*end && *end != ' ') end++;
    *rest = *end ? end + 1 : end;
    *end = 0;
    return w;
}

static void cat(const char *file) {
    static char buf[4096];
    int fd = open(file, O_RDONLY);
    ssize_t n = -1;
    if (fd >= 0) {
        while ((n = read(fd, buf, sizeof buf)) > 0) put(1, buf, n);
    }
    if (n < 0) fail("cat", file, strerror(errno));
    if (fd >= 0) close(fd);
}

static void save(const char *file, const char *text) {
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) {
        fail("write", file, strerror(errno));
        return;
    }
    put(fd, text, strlen(text));
    put(fd, "\n", 1);
    close(fd);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void ls(const char *dir) {
    static char *names[1024];
    int n = 0;
    DIR *d = opendir(dir);
    if (!d) {
        fail("ls", dir, strerror(errno));
        return;
    }
    for (struct dirent *e; n < 1024 && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) names[n++] = strdup(e->d_name);
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        say(1, names[i]);
        say(1, "\n");
        free(names[i]);
    }
}

static void list(char **words) {
    for (; *words; words++) {
        say(1, *words);
        say(1, "\n");
    }
}

static void obey(char *rest, char **argv) {
    char *cmd = word(&rest);
    if (!*cmd || *cmd == '#') return;
    if (!strcmp(cmd, "echo")) {
        say(1, rest);
        say(1, "\n");
    } else if (!strcmp(cmd, "cat")) {
        cat(word(&rest));
    } else if (!strcmp(cmd, "write")) {
        char *file = word(&rest);
        save(file, rest);
    } else if (!strcmp(cmd, "ls")) {
        char *dir = word(&rest);
        ls(*dir ? dir : ".");
    } else if (!strcmp(cmd, "exit")) {
        _exit(atoi(word(&rest)));
    } else if (!strcmp(cmd, "sleep")) {
        usleep(1000 * atoi(word(&rest)));
    } else if (!strcmp(cmd, "env")) {
        list(environ);
    } else if (!strcmp(cmd, "args")) {
        list(argv + 1);
    } else {
        fail("command", cmd, "unknown");
    }
}

int main(int argc, char **argv) {
    static char line[8192];
    size_t n = 0;
    char c;
    (void)argc;
    while (read(0, &c, 1) == 1) {
        if (c != '\n') {
            if (n < sizeof line - 1) line[n++] = c;
            continue;
        }
        line[n] = 0;
        n = 0;
        obey(line, argv);
    }
    line[n] = 0;
    obey(line, argv);
    return failed;
}
