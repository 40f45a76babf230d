/* The launcher's own output on stdout. */
#ifndef PRINT_H
#define PRINT_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

void print(const char *text);
void print_bytes(const char *bytes, size_t length);

/* Writes everything printed so far. Returns false on failure. */
bool flush(void);

/*
 * Prints an error in the plugin's format and ends the process. `code` is a number of the CNI specification, as text.
 * `words` is what went wrong (any bytes; at most MAX_SHOWN of each word are shown). `hint` says what to do, in plain
 * text.
 */
_Noreturn void fail(const char *code, const char *version, const char *const words[], const char *hint);

#endif
