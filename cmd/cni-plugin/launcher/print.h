/* What the launcher itself says on stdout. */
#ifndef PRINT_H
#define PRINT_H

#include <stdbool.h>
#include <stddef.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

void print(const char *text);
void print_bytes(const char *bytes, size_t length);

/* All that was printed is written. False where it could not be. */
bool flush(void);

/*
 * Ends the process. The error is on stdout as the plugin writes it: `code` is a number of the CNI specification, in
 * text, `words` is what went wrong (any bytes, of each word the first MAX_SHOWN), and `hint` what to do, plain text.
 */
_Noreturn void fail(const char *code, const char *version, const char *const words[], const char *hint);

#endif
