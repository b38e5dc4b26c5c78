/* scenario is the guest of the suite in tests/sdk, in C: commands in, one line out
 * for each. README.md beside it has the commands. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wnode.h>

enum { command = 100, answer = 101, patience_ms = 20000 };

static const char *const kinds[] = {"", "data", "call", "reply", "exit", "down", "nodeup", "nodedown", "timeout", "cast", "name_lost"};

static char out[1 << 16]; /* the answer to a command */
static size_t out_n;
static char *words[64]; /* of the command */
static int count;
static char **arguments;

static void say(const char *format, ...) {
    va_list v;
    va_start(v, format);
    int n = vsnprintf(out + out_n, sizeof out - out_n, format, v);
    va_end(v);
    if (n > 0) out_n += (size_t)n < sizeof out - out_n ? (size_t)n : sizeof out - out_n - 1;
}

static void hex(const void *v, size_t n) {
    const uint8_t *b = v;
    static const uint8_t zero[32];
    say(" ");
    if (memcmp(b, zero, n) == 0) say("-");
    else
        while (n--) say("%02x", *b++);
}

/* bytes reads hex, "-" as zeros, and says whether it was not "-". */
static int bytes(const char *s, void *to, size_t n) {
    memset(to, 0, n);
    if (strcmp(s, "-") == 0) return 0;
    for (size_t i = 0; i < n && s[0] && s[1]; i++, s += 2) {
        const char two[3] = {s[0], s[1], 0};
        ((uint8_t *)to)[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return 1;
}

static const char *word(int i) { return i < count ? words[i] : ""; }
static uint64_t number(int i) { return strtoull(word(i), NULL, 10); }
static wnode_pid pid(int i) { wnode_pid p; bytes(word(i), &p, sizeof p); return p; }
static wnode_ref ref(int i) { wnode_ref r; bytes(word(i), &r, sizeof r); return r; }

/* rest joins the words from the i-th on. */
static const char *rest(int i) {
    static char text[8192];
    text[0] = 0;
    for (int first = i; i < count; i++) {
        if (i > first) strcat(text, " ");
        strcat(text, words[i]);
    }
    return text;
}

static int kind(const char *s) {
    for (int k = 1; k <= WNODE_NAME_LOST; k++)
        if (strcmp(s, kinds[k]) == 0) return k;
    return 0;
}

/* value returns what the next word KEY=... behind the i-th has, and moves i to it. */
static const char *value(const char *key, int *i) {
    size_t n = strlen(key);
    while (++*i < count)
        if (strncmp(words[*i], key, n) == 0 && words[*i][n] == '=') return words[*i] + n + 1;
    return NULL;
}
static const char *option(const char *key, const char *otherwise) {
    int i = 0;
    const char *v = value(key, &i);
    return v ? v : otherwise;
}
static const char *const *list(const char *key) {
    const char **all = calloc(64, sizeof *all), *v;
    for (int i = 0, n = 0; (v = value(key, &i)); n++) all[n] = v;
    return all;
}

static wnode_match match(void) {
    wnode_match m = {0};
    const char *k = option("kind", NULL), *tag = option("tag", NULL);
    if (k) m.kinds = 1u << kind(k);
    if (tag) m.tag = strtoull(tag, NULL, 10), m.mask = ~0ull;
    if (option("mask", NULL)) m.mask = strtoull(option("mask", "0"), NULL, 10);
    bytes(option("ref", "-"), &m.ref, sizeof m.ref);
    return m;
}

static void reason(const char *b) {
    wnode_reason r;
    memcpy(&r, b, sizeof r);
    say(" %.*s %u", r.word, b + sizeof r, r.code);
    if (r.detail) say(" %.*s", r.detail, b + sizeof r + r.word);
}

/* The message that was received last. */
static wnode_message *last;
static size_t room;
static wnode_message last_call; /* its head */

/* grow makes room for a message that did not fit. */
static int grow(int e, uint32_t n) {
    if (e != WNODE_E2BIG || n <= room) return 0;
    last = realloc(last, room = n);
    return 1;
}

static void message(const wnode_message *m) {
    say(" %s %llu", kinds[m->kind], (unsigned long long)m->tag);
    hex(&m->ref, sizeof m->ref);
    hex(&m->from, sizeof m->from);
    const char *b = (const char *)(m + 1);
    if (m->kind == WNODE_CALL) last_call = *m;
    if (m->kind == WNODE_EXIT || m->kind == WNODE_DOWN) reason(b);
    else if (m->length > 100) say(" %u bytes", m->length);
    else if (m->length) say(" %.*s", (int)m->length, b);
}

static int status(int e) {
    out_n = 0;
    if (e) say("error %d", e);
    else say("ok");
    return e;
}

static void spawn(void) {
    wnode_spec s = {.args = list("arg"), .env = list("env"), .grants = list("grant")};
    wnode_node node;
    wnode_pid p;
    wnode_ref r = {0};
    if (bytes(option("node", "-"), &node, sizeof node)) s.node = &node;
    s.module = option("module", NULL);
    s.entry = option("entry", NULL);
    s.name = option("name", NULL);
    for (const char *f = option("flags", ""); *f; f++) s.flags |= 1u << (strchr("lmedioc", *f) - "lmedioc");
    s.memory = strtoull(option("memory", "0"), NULL, 10);
    s.wall_ns = strtoull(option("wall", "0"), NULL, 10) * 1000000;
    s.fuel = strtoull(option("fuel", "0"), NULL, 10);
    s.stack = strtoull(option("stack", "0"), NULL, 10);
    s.mailbox = strtoull(option("mailbox", "0"), NULL, 10);
    s.seed = strtoull(option("seed", "0"), NULL, 10);
    char *input = calloc(1, 8192);
    const char *v;
    for (int i = 0; (v = value("input", &i));) strcat(strcat(input, *input ? " " : ""), v);
    s.input = input;
    s.input_size = strlen(input);
    if (status(wnode_spawn(&s, &p, &r)) == 0) hex(&p, sizeof p), hex(&r, sizeof r);
}

static int receive(const wnode_match *m, int64_t ms) {
    uint32_t n = 0;
    int e;
    do e = wnode_receive(m, last, room, ms < 0 ? WNODE_FOREVER : ms * 1000000, &n);
    while (grow(e, n));
    return e;
}

static void exit_with(const char *w, uint32_t code, const char *detail) {
    char b[1024];
    size_t n = wnode_put_reason(b, sizeof b, w, detail);
    memcpy(b, &code, sizeof code);
    status(wnode_exit_reason(b, n));
}

static void members(void) {
    uint32_t n = 0;
    wnode_pid *all = NULL;
    int e;
    while ((e = wnode_members(word(1), all, n, &n)) == WNODE_E2BIG) all = realloc(all, n);
    if (status(e) == 0)
        for (uint32_t i = 0; i < n / sizeof *all; i++) hex(&all[i], sizeof *all);
}

static void nodes(void) {
    uint32_t n = 0;
    wnode_node *all = NULL;
    int e;
    while ((e = wnode_nodes(all, n, &n)) == WNODE_E2BIG) all = realloc(all, n);
    if (status(e) == 0)
        for (uint32_t i = 0; i < n / sizeof *all; i++) hex(&all[i], sizeof *all);
}

static void info(void) {
    uint32_t n = 0;
    char *json = NULL;
    wnode_pid p = pid(1);
    int e;
    while ((e = wnode_process_info(strcmp(word(1), "-") ? &p : NULL, json, n, &n)) == WNODE_E2BIG) json = realloc(json, n);
    if (status(e) == 0) say(" %.*s", (int)n, json);
}

static void call(void) {
    wnode_pid p = pid(1);
    uint32_t n = 0;
    const char *text = rest(4);
    if (status(wnode_call(&p, number(2), text, strlen(text), last, room, (int64_t)number(3) * 1000000, &n))) return;
    if (last->kind == WNODE_DOWN) {
        out_n = 0;
        say("down");
        reason(wnode_payload(last));
    } else if (last->length) say(" %.*s", (int)last->length, (char *)wnode_payload(last));
}

static void call_name(void) {
    wnode_node node;
    int some = bytes(word(1), &node, sizeof node);
    uint32_t n = 0;
    const char *text = rest(5);
    if (status(wnode_call_name(some ? &node : NULL, word(2), number(3), text, strlen(text), last, room, (int64_t)number(4) * 1000000, &n))) return;
    if (last->kind == WNODE_DOWN) {
        out_n = 0;
        say("down");
        reason(wnode_payload(last));
    } else if (last->length) say(" %.*s", (int)last->length, (char *)wnode_payload(last));
}

static void await_reply(void) {
    wnode_ref r = ref(1);
    uint32_t n = 0;
    int e;
    do e = wnode_await(&r, last, room, (int64_t)number(2) * 1000000, &n);
    while (grow(e, n));
    if (status(e)) return;
    if (last->kind == WNODE_DOWN) {
        out_n = 0;
        say("down %d", last->end);
        reason(wnode_payload(last));
    } else if (last->length) say(" %.*s", (int)last->length, (char *)wnode_payload(last));
}

static char *input(uint32_t *n) {
    char *b = NULL;
    int e;
    for (*n = 0; (e = wnode_input(b, *n, n)) == WNODE_E2BIG;) b = realloc(b, *n);
    return status(e) ? NULL : b;
}

static void ask(void) {
    wnode_pid p = pid(1);
    const char *text = rest(2);
    wnode_match m = {.kinds = 1 << WNODE_DATA, .tag = answer, .mask = ~0ull};
    int e = wnode_send(&p, command, text, strlen(text));
    if (e == 0) e = receive(&m, patience_ms);
    if (status(e)) return;
    out_n = 0;
    say("%.*s", (int)last->length, (char *)wnode_payload(last));
}

static int scope(int i) { return strcmp(word(i), "cluster") == 0; }

/* run carries out a command, and leaves what it answers in out. */
static void run(char *line) {
    count = 0;
    for (char *w = strtok(line, " "); w && count < 64; w = strtok(NULL, " ")) words[count++] = w;
    const char *c = word(0);
    uint32_t n = 0;
    wnode_pid p = pid(1);
    wnode_ref r = ref(1);
    wnode_node node;
    int some = bytes(word(1), &node, sizeof node);
#define IS(name) (strcmp(c, name) == 0)
    if (IS("self")) { if (status(wnode_self(&p)) == 0) hex(&p, sizeof p); }
    else if (IS("parent")) { if (status(wnode_parent(&p)) == 0) hex(&p, sizeof p); }
    else if (IS("leader")) { if (status(wnode_leader(&p)) == 0) hex(&p, sizeof p); }
    else if (IS("node")) { if (status(wnode_this_node(&node)) == 0) hex(&node, sizeof node); }
    else if (IS("window")) { uint32_t k; if (status(wnode_window(&n, &k)) == 0) say(" %u %u", n, k); }
    else if (IS("args")) { status(0); for (char **a = arguments + 1; *a; a++) say(" %s", *a); }
    else if (IS("env")) { status(0); if (getenv(word(1))) say(" %s", getenv(word(1))); }
    else if (IS("spawn")) spawn();
    else if (IS("exit")) exit_with(word(1), (uint32_t)number(2), rest(3));
    else if (IS("link")) status(wnode_link(&p));
    else if (IS("unlink")) status(wnode_unlink(&p));
    else if (IS("monitor")) { if (status(wnode_monitor(&p, &r)) == 0) hex(&r, sizeof r); }
    else if (IS("monitor_name")) { if (status(wnode_monitor_name(some ? &node : NULL, word(2), strlen(word(2)), &r)) == 0) hex(&r, sizeof r); }
    else if (IS("demonitor")) status(wnode_demonitor(&r, (int)number(2)));
    else if (IS("trap_exit")) { if (status(wnode_trap_exit((int)number(1), &n)) == 0) say(" %u", n); }
    else if (IS("exit_signal")) { char b[1024]; status(wnode_exit_signal_reason(&p, b, wnode_put_reason(b, sizeof b, word(2), rest(3)))); }
    else if (IS("process_info")) info();
    else if (IS("send")) { r = ref(4); status(wnode_send_kind(&p, kind(word(2)), number(3), &r, rest(5), strlen(rest(5)))); }
    else if (IS("send_name")) { r = ref(5); status(wnode_send_name_kind(some ? &node : NULL, word(2), strlen(word(2)), kind(word(3)), number(4), &r, rest(6), strlen(rest(6)))); }
    else if (IS("send_bytes")) { char *b = calloc(1, number(2)); status(wnode_send(&p, 0, b, number(2))); free(b); }
    else if (IS("receive")) { wnode_match m = match(); if (status(receive(&m, atoi(option("ms", "20000")))) == 0) message(last); }
    else if (IS("peek")) {
        wnode_match m = match();
        uint64_t cursor = number(1);
        int e;
        do cursor = number(1), e = wnode_peek(count > 2 ? &m : NULL, &cursor, last, room, &n);
        while (grow(e, n));
        if (status(e) == 0) say(" %llu", (unsigned long long)cursor), message(last);
    }
    else if (IS("take")) {
        int e;
        do e = wnode_take(number(1), last, room, &n);
        while (grow(e, n));
        if (status(e) == 0) message(last);
    }
    else if (IS("mailbox_fd")) { uint32_t again = 0; if (status(wnode_mailbox_fd(&n)) == 0 && wnode_mailbox_fd(&again) == 0) say(n > 2 && n == again ? " the same" : " another"); }
    else if (IS("message")) status(wnode_current(last, room, &n));
    else if (IS("timer_start")) { const char *t = rest(4); if (status(wnode_timer_start(strcmp(word(1), "-") ? &p : NULL, number(2) * 1000000, number(3), t, strlen(t), &r)) == 0) hex(&r, sizeof r); }
    else if (IS("timer_cancel")) { uint64_t left = 0; if (status(wnode_timer_cancel(&r, &left)) == 0) say(left ? " running" : " due"); }
    else if (IS("timer_read")) { uint64_t left = 0; if (status(wnode_timer_read(&r, &left)) == 0) say(left ? " running" : " due"); }
    else if (IS("register")) { p = pid(3); status(wnode_register_n(scope(1), word(2), strlen(word(2)), strcmp(word(3), "-") ? &p : NULL)); }
    else if (IS("unregister")) status(wnode_unregister(scope(1), word(2)));
    else if (IS("whereis")) { if (status(wnode_whereis(scope(1), word(2), &p)) == 0) hex(&p, sizeof p); }
    else if (IS("join")) status(wnode_join(word(1)));
    else if (IS("leave")) status(wnode_leave(word(1)));
    else if (IS("members")) members();
    else if (IS("nodes")) nodes();
    else if (IS("node_find")) { if (status(wnode_node_find(word(1), &node)) == 0) hex(&node, sizeof node); }
    else if (IS("node_name")) { char name[64]; if (status(wnode_node_name(some ? &node : NULL, name, sizeof name, &n)) == 0) say(" %.*s", (int)n, name); }
    else if (IS("monitor_node")) status(wnode_monitor_node(&node, (int)number(2)));
    else if (IS("monitor_nodes")) status(wnode_monitor_nodes((int)number(1)));
    else if (IS("sha256")) { uint8_t sum[32]; if (status(wnode_sha256(rest(1), strlen(rest(1)), sum)) == 0) hex(sum, 32); }
    else if (IS("blake3")) { uint8_t sum[32]; if (status(wnode_blake3(rest(1), strlen(rest(1)), sum)) == 0) hex(sum, 32); }
    else if (IS("call")) call();
    else if (IS("call_name")) call_name();
    else if (IS("await")) await_reply();
    else if (IS("abandon")) status(wnode_abandon(&r));
    else if (IS("input")) { char *b = input(&n); if (b) say(" %.*s", (int)n, b); }
    else if (IS("output")) status(wnode_output(rest(1), strlen(rest(1))));
    else if (IS("error")) status(wnode_error(rest(1)));
    else if (IS("cast")) { const char *t = rest(3); status(wnode_cast(&p, number(2), t, strlen(t))); }
    else if (IS("reply")) status(wnode_reply(&last_call, rest(1), strlen(rest(1))));
    else if (IS("ask")) ask();
    else status(WNODE_ENOSYS);
}

int main(int argc, char **argv) {
    arguments = argv;
    last = malloc(room = 4096);
    if (argc > 1 && strcmp(argv[1], "messages") == 0) {
        const wnode_match commands = {.kinds = 1 << WNODE_DATA, .tag = command, .mask = ~0ull};
        while (receive(&commands, -1) == 0) {
            wnode_pid from = last->from;
            char *line = strndup(wnode_payload(last), last->length);
            run(line);
            free(line);
            wnode_send(&from, answer, out, out_n);
        }
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "once") == 0) { /* called: the input is a command */
        uint32_t n;
        char *b = input(&n), *command = b ? strndup(b, n) : strdup("");
        run(command);
        return wnode_output(out, out_n);
    }
    static char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        run(line);
        printf("%s\n", out);
        fflush(stdout);
    }
    return 0;
}
