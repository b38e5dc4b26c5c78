/* files DIR does below DIR what programs do with files, says each step, and
 * leaves behind the one file report.txt. It ends with 1 at the first step that
 * fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *s) { write(1, s, strlen(s)); }

static void check(const char *step, int ok) {
    say(step);
    if (ok) {
        say(": ok\n");
        return;
    }
    say(": ");
    say(strerror(errno));
    say("\n");
    _exit(1);
}

static int put(const char *path, int flags, const char *text) {
    int fd = open(path, O_WRONLY | flags, 0666);
    if (fd < 0) return 0;
    ssize_t n = write(fd, text, strlen(text));
    return close(fd) == 0 && n == (ssize_t)strlen(text);
}

static int has(const char *path, off_t at, const char *text) {
    char buf[128];
    size_t len = strlen(text);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t n = lseek(fd, at, SEEK_SET) == at ? read(fd, buf, sizeof buf) : -1;
    close(fd);
    return n == (ssize_t)len && memcmp(buf, text, len) == 0;
}

static int count(const char *dir) {
    int n = 0;
    DIR *d = opendir(dir);
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) n++;
    closedir(d);
    return n;
}

int main(int argc, char **argv) {
    struct stat st;
    if (argc != 2) {
        static const char usage[] = "usage: files DIR\n";
        write(2, usage, sizeof usage - 1);
        return 2;
    }
    check("enter the directory", chdir(argv[1]) == 0);
    check("make a directory", mkdir("work", 0777) == 0);
    check("write a file", put("work/a.txt", O_CREAT | O_EXCL, "hello "));
    check("append to it", put("work/a.txt", O_APPEND, "files\n"));
    check("read it", has("work/a.txt", 0, "hello files\n"));
    check("read from the middle", has("work/a.txt", 6, "files\n"));
    check("see its size", stat("work/a.txt", &st) == 0 && st.st_size == 12);
    check("refuse to create it again", !put("work/a.txt", O_CREAT | O_EXCL, "x") && errno == EEXIST);
    check("cut it", truncate("work/a.txt", 5) == 0 && has("work/a.txt", 0, "hello"));
    check("rename it", rename("work/a.txt", "work/b.txt") == 0 && stat("work/a.txt", &st) != 0);
    check("list the directory", count("work") == 1);
    check("refuse to remove a full directory", rmdir("work") != 0);
    check("remove the file", unlink("work/b.txt") == 0);
    check("remove the directory", rmdir("work") == 0);
    check("write the report", put("report.txt", O_CREAT | O_TRUNC, "all done\n"));
    return 0;
}
