/* counter is a server: it holds a number between messages, and nothing else of it
 * runs until one comes. A call "inc N" adds and answers with the sum, "get" answers;
 * a cast "inc N" adds; "stop" ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <wnode.h>

static long count;

WNODE_SERVER

static struct {
    wnode_message head;
    char text[64];
} in;

/* read_message reads the message as text, cut to what a command can have. */
static void read_message(size_t size) {
    uint32_t n = 0;
    in.head.length = 0;
    if (size < sizeof in) wnode_current(&in, sizeof in, &n);
    in.text[in.head.length < sizeof in.text ? in.head.length : 0] = 0;
}

static int run(void) {
    if (strncmp(in.text, "inc ", 4) == 0) count += strtol(in.text + 4, NULL, 10);
    return strcmp(in.text, "stop") == 0 ? WNODE_STOP : 0;
}

WNODE_EXPORT(wnode_init) int wnode_init(void) { return 0; }

WNODE_EXPORT(wnode_handle_call) int wnode_handle_call(size_t size) {
    char out[24];
    read_message(size);
    int stop = run();
    int n = snprintf(out, sizeof out, "%ld", count);
    wnode_reply(&in.head, out, (size_t)n);
    return stop;
}

WNODE_EXPORT(wnode_handle_cast) int wnode_handle_cast(size_t size) {
    read_message(size);
    return run();
}
