/* wnode.h: processes for WebAssembly guests in C.
 *
 * One header over the functions of module "wnode"; package hostfuncs of wnode documents
 * them one by one, and this file says what C adds. Every function returns 0 or a
 * number of errno.h of WASI:
 *
 *   WNODE_E2BIG    it does not fit in the buffer: how much is needed is in *len
 *   WNODE_EFAULT   a pointer is not in memory
 *   WNODE_EINVAL   an argument is wrong
 *   WNODE_ENOENT   there is no such message or timer
 *   WNODE_ESRCH    there is no such process, name or node
 *   WNODE_EEXIST   the name is taken
 *   WNODE_ENOMEM   a limit of the node
 *   WNODE_ETIMEDOUT  nothing came in time
 *   WNODE_ENOTCAPABLE  not granted, or of another origin
 *
 * A process that is told to end, by a kill or a link, does not return from any of them.
 *
 * clang --target=wasm32-wasi -I sdk/c -o guest.wasm guest.c
 * clang --target=wasm32-wasi -mexec-model=reactor -I sdk/c -o server.wasm server.c
 */
#ifndef WNODE_H
#define WNODE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WNODE_E2BIG 1
#define WNODE_EEXIST 20
#define WNODE_EFAULT 21
#define WNODE_EINVAL 28
#define WNODE_ENOENT 44
#define WNODE_ENOMEM 48
#define WNODE_ENOSYS 52
#define WNODE_ESRCH 71
#define WNODE_ETIMEDOUT 73
#define WNODE_ENOTCAPABLE 76

#define WNODE_MAX_MESSAGE (16 << 20)
#define WNODE_FOREVER ((int64_t)-1)

typedef struct { uint8_t b[32]; } wnode_pid;  /* zero: no process */
typedef struct { uint8_t b[32]; } wnode_ref;  /* of a monitor, a call or a timer */
typedef struct { uint8_t b[16]; } wnode_node; /* a node's id */

enum wnode_kind {
    WNODE_DATA = 1,      /* from another process */
    WNODE_CALL = 2,      /* answer with WNODE_REPLY, its ref, to from: wnode_reply */
    WNODE_REPLY = 3,     /* the answer of ref */
    WNODE_EXIT = 4,      /* an exit signal of from, if exits are trapped; payload: wnode_reason */
    WNODE_DOWN = 5,      /* from, monitored by ref, ended; payload: wnode_reason */
    WNODE_NODEUP = 6,    /* the node of from is connected; payload: its name */
    WNODE_NODEDOWN = 7,  /* and is not any more */
    WNODE_TIMEOUT = 8,   /* the timer ref is due */
    WNODE_CAST = 9,      /* as data, for a server's wnode_handle_cast */
    WNODE_NAME_LOST = 10 /* from has the cluster-wide name in the payload now */
};

/* A message: this, and behind it length bytes of payload. */
typedef struct {
    uint8_t kind, end; /* end: of a WNODE_DOWN, enum wnode_end */
    uint16_t pad;
    uint32_t length;
    uint64_t tag;
    wnode_ref ref;
    wnode_pid from;
} wnode_message;

/* In which way a process came to its end: its reason alone does not tell, as a program
 * may give any. */
enum wnode_end {
    WNODE_END_RUNTIME = 0,  /* it did not run, or what became of it is not known */
    WNODE_END_RETURNED = 1, /* its function returned */
    WNODE_END_EXITED = 2,   /* it ended itself with the reason */
    WNODE_END_THROWN = 3,   /* it ended itself with an error for who called it */
    WNODE_END_TRAPPED = 4,  /* its code failed */
    WNODE_END_KILLED = 5    /* it was ended from outside, or for a limit of its own */
};

/* Which messages: all fields zero, or a null pointer, are all of them. */
typedef struct {
    uint32_t kinds; /* 1 << WNODE_DATA | ... */
    uint32_t pad;
    uint64_t tag, mask; /* the bits of mask must be as in tag */
    wnode_ref ref;
} wnode_match;

/* Why a process ended: this, then the word, then a detail for people. */
typedef struct {
    uint32_t code; /* of "exited" */
    uint16_t word, detail; /* their lengths */
} wnode_reason;

#define WNODE_IMPORT(name) __attribute__((import_module("wnode"), import_name(name)))
/* WNODE_EXPORT exports a function under the name that it has. */
#define WNODE_EXPORT(name) __attribute__((export_name(#name)))

/* Processes. */
WNODE_IMPORT("self") int wnode_self(wnode_pid *out);
WNODE_IMPORT("parent") int wnode_parent(wnode_pid *out);
WNODE_IMPORT("spawn") int wnode_spawn_spec(const void *spec, size_t n, wnode_pid *out, wnode_ref *monitor);
WNODE_IMPORT("exit") int wnode_exit_reason(const void *reason, size_t n);
WNODE_IMPORT("link") int wnode_link(const wnode_pid *to);
WNODE_IMPORT("unlink") int wnode_unlink(const wnode_pid *to);
WNODE_IMPORT("monitor") int wnode_monitor(const wnode_pid *to, wnode_ref *out);
WNODE_IMPORT("monitor_name") int wnode_monitor_name(const wnode_node *node, const char *name, size_t n, wnode_ref *out);
WNODE_IMPORT("demonitor") int wnode_demonitor(const wnode_ref *ref, int flush);
WNODE_IMPORT("trap_exit") int wnode_trap_exit(int on, uint32_t *was);
WNODE_IMPORT("exit_signal") int wnode_exit_signal_reason(const wnode_pid *to, const void *reason, size_t n);
WNODE_IMPORT("process_info") int wnode_process_info(const wnode_pid *of, char *json, size_t cap, uint32_t *len);

/* Messages. A null ref is none, a null node this one. */
WNODE_IMPORT("send") int wnode_send_kind(const wnode_pid *to, int kind, uint64_t tag, const wnode_ref *ref, const void *data, size_t n);
WNODE_IMPORT("send_name") int wnode_send_name_kind(const wnode_node *node, const char *name, size_t name_n, int kind, uint64_t tag, const wnode_ref *ref, const void *data, size_t n);
WNODE_IMPORT("receive") int wnode_receive(const wnode_match *match, void *buf, size_t cap, int64_t timeout_ns, uint32_t *len);
WNODE_IMPORT("peek") int wnode_peek(const wnode_match *match, uint64_t *cursor, void *buf, size_t cap, uint32_t *len);
WNODE_IMPORT("take") int wnode_take(uint64_t cursor, void *buf, size_t cap, uint32_t *len);
WNODE_IMPORT("mailbox_fd") int wnode_mailbox_fd(uint32_t *fd);
WNODE_IMPORT("message") int wnode_current(void *buf, size_t cap, uint32_t *len);

/* Timers. */
WNODE_IMPORT("timer_start") int wnode_timer_start(const wnode_pid *to, uint64_t after_ns, uint64_t tag, const void *data, size_t n, wnode_ref *out);
WNODE_IMPORT("timer_cancel") int wnode_timer_cancel(const wnode_ref *ref, uint64_t *left_ns);
WNODE_IMPORT("timer_read") int wnode_timer_read(const wnode_ref *ref, uint64_t *left_ns);

/* Names and groups. */
#define WNODE_ON_NODE 0
#define WNODE_IN_CLUSTER 1
WNODE_IMPORT("register") int wnode_register_n(int scope, const char *name, size_t n, const wnode_pid *pid);
WNODE_IMPORT("unregister") int wnode_unregister_n(int scope, const char *name, size_t n);
WNODE_IMPORT("whereis") int wnode_whereis_n(int scope, const char *name, size_t n, wnode_pid *out);
WNODE_IMPORT("join") int wnode_join_n(const char *group, size_t n);
WNODE_IMPORT("leave") int wnode_leave_n(const char *group, size_t n);
WNODE_IMPORT("members") int wnode_members_n(const char *group, size_t n, wnode_pid *pids, size_t bytes, uint32_t *len);

/* Nodes. */
WNODE_IMPORT("node") int wnode_this_node(wnode_node *out);
WNODE_IMPORT("nodes") int wnode_nodes(wnode_node *nodes, size_t bytes, uint32_t *len);
WNODE_IMPORT("node_find") int wnode_node_find_n(const char *name, size_t n, wnode_node *out);
WNODE_IMPORT("node_name") int wnode_node_name(const wnode_node *node, char *name, size_t cap, uint32_t *len);
WNODE_IMPORT("monitor_node") int wnode_monitor_node(const wnode_node *node, int on);
WNODE_IMPORT("monitor_nodes") int wnode_monitor_nodes(int on);

/* Calls: what a process that was spawned with WNODE_CALLED was given and returns. output
 * appends; error does not return, its text is the detail of the reason "thrown". */
WNODE_IMPORT("input") int wnode_input(void *buf, size_t cap, uint32_t *len);
WNODE_IMPORT("output") int wnode_output(const void *data, size_t n);
WNODE_IMPORT("error") int wnode_error_n(const char *text, size_t n);

/* The group leader. */
WNODE_IMPORT("leader") int wnode_leader(wnode_pid *out);
WNODE_IMPORT("window") int wnode_window(uint32_t *rows, uint32_t *cols);

/* Hashes, for those whose spec grants "hash": out is 32 bytes. */
WNODE_IMPORT("sha256") int wnode_sha256(const void *data, size_t n, uint8_t *out);
WNODE_IMPORT("blake3") int wnode_blake3(const void *data, size_t n, uint8_t *out);

/* Names that end with a NUL. */
static inline int wnode_register(int scope, const char *name) { return wnode_register_n(scope, name, strlen(name), NULL); }
static inline int wnode_unregister(int scope, const char *name) { return wnode_unregister_n(scope, name, strlen(name)); }
static inline int wnode_whereis(int scope, const char *name, wnode_pid *out) { return wnode_whereis_n(scope, name, strlen(name), out); }
static inline int wnode_join(const char *group) { return wnode_join_n(group, strlen(group)); }
static inline int wnode_leave(const char *group) { return wnode_leave_n(group, strlen(group)); }
static inline int wnode_members(const char *group, wnode_pid *pids, size_t bytes, uint32_t *len) { return wnode_members_n(group, strlen(group), pids, bytes, len); }
static inline int wnode_error(const char *text) { return wnode_error_n(text, strlen(text)); }
static inline int wnode_node_find(const char *name, wnode_node *out) { return wnode_node_find_n(name, strlen(name), out); }

static inline int wnode_pid_equal(const wnode_pid *a, const wnode_pid *b) { return memcmp(a, b, sizeof *a) == 0; }
static inline int wnode_ref_equal(const wnode_ref *a, const wnode_ref *b) { return memcmp(a, b, sizeof *a) == 0; }

/* wnode_send sends data to a process. It never fails because there is none. */
static inline int wnode_send(const wnode_pid *to, uint64_t tag, const void *data, size_t n) {
    return wnode_send_kind(to, WNODE_DATA, tag, NULL, data, n);
}

/* wnode_send_name sends data to who has a name on a node. */
static inline int wnode_send_name(const wnode_node *node, const char *name, uint64_t tag, const void *data, size_t n) {
    return wnode_send_name_kind(node, name, strlen(name), WNODE_DATA, tag, NULL, data, n);
}

/* wnode_cast sends what a server's wnode_handle_cast gets. */
static inline int wnode_cast(const wnode_pid *to, uint64_t tag, const void *data, size_t n) {
    return wnode_send_kind(to, WNODE_CAST, tag, NULL, data, n);
}

/* wnode_reply answers a call. */
static inline int wnode_reply(const wnode_message *call, const void *data, size_t n) {
    return wnode_send_kind(&call->from, WNODE_REPLY, call->tag, &call->ref, data, n);
}

/* wnode_payload is what a message carries: its length bytes, not terminated. */
static inline void *wnode_payload(void *message) { return (char *)message + sizeof(wnode_message); }

/* wnode_await waits for the answer to a call, or to a process that was spawned with
 * WNODE_CALLED: ref is that of the monitor. buf gets it as a message of kind WNODE_REPLY;
 * or one of kind WNODE_DOWN, if it ends first or there is none. After WNODE_ETIMEDOUT a
 * late one is dropped. */
static inline int wnode_await(const wnode_ref *ref, void *buf, size_t cap, int64_t timeout_ns, uint32_t *len) {
    wnode_match m = {.kinds = 1 << WNODE_REPLY | 1 << WNODE_DOWN, .ref = *ref};
    int e = wnode_receive(&m, buf, cap, timeout_ns, len);
    if (e != 0 && e != WNODE_E2BIG) wnode_demonitor(ref, 1);
    return e;
}

/* wnode_abandon gives up an answer: it is never received. */
static inline int wnode_abandon(const wnode_ref *ref) { return wnode_demonitor(ref, 1); }

/* wnode_call calls a process and waits for its answer, as wnode_await. */
static inline int wnode_call(const wnode_pid *to, uint64_t tag, const void *data, size_t n,
                             void *buf, size_t cap, int64_t timeout_ns, uint32_t *len) {
    wnode_ref ref;
    int e = wnode_monitor(to, &ref);
    if (e == 0 && (e = wnode_send_kind(to, WNODE_CALL, tag, &ref, data, n)) != 0) wnode_demonitor(&ref, 1);
    return e ? e : wnode_await(&ref, buf, cap, timeout_ns, len);
}

/* wnode_call_name is as wnode_call, of who has a name on a node. */
static inline int wnode_call_name(const wnode_node *node, const char *name, uint64_t tag, const void *data, size_t n,
                                  void *buf, size_t cap, int64_t timeout_ns, uint32_t *len) {
    wnode_ref ref;
    int e = wnode_monitor_name(node, name, strlen(name), &ref);
    if (e) return e;
    e = wnode_send_name_kind(node, name, strlen(name), WNODE_CALL, tag, &ref, data, n);
    if (e == WNODE_ESRCH) e = 0; /* the monitor says so */
    if (e) wnode_demonitor(&ref, 1);
    return e ? e : wnode_await(&ref, buf, cap, timeout_ns, len);
}

/* wnode_exit ends the process with a reason, a word such as "shutdown". */
static inline size_t wnode_put_reason(char *b, size_t cap, const char *word, const char *detail) {
    wnode_reason r = {0, (uint16_t)strlen(word), (uint16_t)strlen(detail)};
    size_t n = sizeof r + r.word + r.detail;
    if (n > cap) return 0;
    memcpy(b, &r, sizeof r);
    memcpy(b + sizeof r, word, r.word);
    memcpy(b + sizeof r + r.word, detail, r.detail);
    return n;
}
static inline int wnode_exit(const char *word, const char *detail) {
    char b[1024];
    return wnode_exit_reason(b, wnode_put_reason(b, sizeof b, word, detail));
}

/* wnode_exit_signal sends an exit signal; "kill" cannot be trapped. */
static inline int wnode_exit_signal(const wnode_pid *to, const char *word) {
    char b[128];
    return wnode_exit_signal_reason(to, b, wnode_put_reason(b, sizeof b, word, ""));
}

/* What wnode_spawn starts: zero fields are what they say. */
typedef struct {
    const wnode_node *node; /* this node */
    const char *module;     /* the module of the caller; else a tag or CID of the node */
    const char *entry;      /* _start */
    const char *const *args; /* none; ends with NULL */
    const char *const *env;  /* K=V; none; ends with NULL */
    const char *name;       /* none on its node */
    const char *const *grants; /* none; ends with NULL */
    uint32_t flags;         /* WNODE_LINK... */
    uint64_t memory, wall_ns, fuel, stack, mailbox, seed; /* the node's default */
    const void *input;      /* nothing to read with wnode_input; else input_size bytes */
    size_t input_size;
} wnode_spec;

#define WNODE_LINK (1 << 0)
#define WNODE_MONITOR (1 << 1)
#define WNODE_SAME_ENV (1 << 2)
#define WNODE_SAME_DIRS (1 << 3)
#define WNODE_NO_INPUT (1 << 4)
#define WNODE_DROP (1 << 5)
#define WNODE_CALLED (1 << 6) /* what it returns comes as the WNODE_REPLY to the monitor: see wnode_await */

static inline size_t wnode_field(char *b, size_t at, size_t cap, int field, const void *v, size_t n) {
    if (at + 8 + n > cap) return cap + 1;
    uint16_t f[2] = {(uint16_t)field, 0};
    uint32_t len = (uint32_t)n;
    memcpy(b + at, f, 4);
    memcpy(b + at + 4, &len, 4);
    memcpy(b + at + 8, v, n);
    return at + 8 + n;
}

/* wnode_spawn starts a process and sets its pid, and the reference of the monitor if
 * WNODE_MONITOR or WNODE_CALLED is set. It does not wait: failures are told by link and
 * monitor. A spec above 4 kB in all is WNODE_E2BIG: wnode_spawn_spec takes up to 1 MiB. */
static inline int wnode_spawn(const wnode_spec *s, wnode_pid *pid, wnode_ref *monitor) {
    char b[4096];
    size_t n = 0, cap = sizeof b;
    if (s->node) n = wnode_field(b, n, cap, 1, s->node, sizeof *s->node);
    if (s->module) n = wnode_field(b, n, cap, 2, s->module, strlen(s->module));
    if (s->entry) n = wnode_field(b, n, cap, 3, s->entry, strlen(s->entry));
    for (size_t i = 0; s->args && s->args[i]; i++) n = wnode_field(b, n, cap, 4, s->args[i], strlen(s->args[i]));
    for (size_t i = 0; s->env && s->env[i]; i++) n = wnode_field(b, n, cap, 5, s->env[i], strlen(s->env[i]));
    if (s->name) n = wnode_field(b, n, cap, 12, s->name, strlen(s->name));
    for (size_t i = 0; s->grants && s->grants[i]; i++) n = wnode_field(b, n, cap, 13, s->grants[i], strlen(s->grants[i]));
    if (s->input_size) n = wnode_field(b, n, cap, 15, s->input, s->input_size);
    n = wnode_field(b, n, cap, 6, &s->flags, 4);
    const struct { int field; uint64_t v; } numbers[] = {
        {7, s->memory}, {8, s->wall_ns}, {9, s->fuel}, {10, s->stack}, {11, s->mailbox}, {14, s->seed},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].v) n = wnode_field(b, n, cap, numbers[i].field, &numbers[i].v, 8);
    if (n > cap) return WNODE_E2BIG;
    return wnode_spawn_spec(b, n, pid, monitor);
}

/* A server: a module that exports handlers, of which one is called for each message.
 *
 *   WNODE_SERVER
 *   WNODE_EXPORT(wnode_init) int wnode_init(void);
 *   WNODE_EXPORT(wnode_handle_call) int wnode_handle_call(size_t size);
 *   WNODE_EXPORT(wnode_handle_cast) int wnode_handle_cast(size_t size);
 *   WNODE_EXPORT(wnode_handle_info) int wnode_handle_info(size_t size);
 *   WNODE_EXPORT(wnode_terminate) void wnode_terminate(size_t size);
 *
 * Those that are missing are not called. size is that of the message with its payload;
 * wnode_current copies it. They return 0 to go on, or WNODE_STOP. */
#define WNODE_SERVER WNODE_EXPORT(wnode_server_1) void wnode_server_1(void) {}
#define WNODE_STOP 1

#ifdef __cplusplus
}
#endif
#endif
