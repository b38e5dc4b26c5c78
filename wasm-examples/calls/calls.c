/* calls is a library whose functions are called from outside, wnode call calls.wasm NAME:
 * with numbers by their type, or with bytes, which they read with wnode_input and give with
 * wnode_output. Each ends in another way. */
#include <stdio.h>
#include <stdlib.h>
#include <wnode.h>

/* upper returns its input in capitals. */
WNODE_EXPORT(upper) void upper(void) {
    uint32_t n = 0;
    char *b = NULL;
    while (wnode_input(b, n, &n) == WNODE_E2BIG) b = realloc(b, n);
    for (uint32_t i = 0; i < n; i++)
        if (b[i] >= 'a' && b[i] <= 'z') b[i] -= 'a' - 'A';
    wnode_output(b, n);
}

/* divide throws what its caller can handle. */
WNODE_EXPORT(divide) int32_t divide(int32_t a, int32_t b) {
    if (b == 0) wnode_error("division by zero");
    return a / b;
}

/* calls counts how often it was called, in vain: each call has a memory of its own. */
WNODE_EXPORT(calls) int32_t calls(void) {
    static int32_t count;
    return ++count;
}

/* greet prints, which is not what it returns. */
WNODE_EXPORT(greet) int64_t greet(void) {
    puts("a call prints at its caller");
    return 1;
}

WNODE_EXPORT(leave) void leave(int32_t code) { exit(code); }
WNODE_EXPORT(resign) void resign(void) { wnode_exit("resigned", "of its own will"); }
WNODE_EXPORT(spin) void spin(void) { for (volatile int i = 0;; i++) {} }
