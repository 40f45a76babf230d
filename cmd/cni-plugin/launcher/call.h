/* The call that this process handles, and what every part of the launcher needs. */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER(macro) TEXT(macro)
#define TEXT(word) #word

#define CHUNK ((size_t)64 << 10)
#define DEFAULT_TIMEOUT "60"

struct call {
  /* The only growing memory: header, name, environment and stdin of the request; after the claim, the answer. */
  unsigned char *bytes;
  size_t capacity;
  size_t used;
  /* Start of stdin in `bytes`; 0 before it is read. */
  size_t stdin_at;
  bool stdin_ended;
  char **arguments;
  const char *command;
  /* ISTHMUS_TIMEOUT. */
  const char *seconds;
  /* The time when that is over, by now(). */
  int64_t deadline;
};

extern struct call call;

/* The variable's value, or `unset` if it is unset or empty. */
const char *setting(const char *name, const char *unset);

/* Milliseconds. */
int64_t now(void);

/* True when one of `events` occurs, or an error that the next call reports; false after `limit`. */
bool wait_for(int fd, short events, int64_t limit);

/* Makes room for `size` bytes, at most a few times 64 MiB. False: out of memory. */
bool reserve(size_t size);

/* Appends the bytes to those used. False: out of memory. */
bool append(const char *bytes, size_t length);

/* Writes all bytes, also to a non-blocking pipe. Returns false on failure. */
bool write_all(int fd, const void *bytes, size_t length);

#endif
