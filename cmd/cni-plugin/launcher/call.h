/* The call that this process is there for, and what every part of the launcher needs. */
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
  /* The only memory that grows: header, name, environment and stdin of the request; after the claim, the answer. */
  unsigned char *bytes;
  size_t capacity;
  size_t used;
  /* Where in `bytes` stdin begins; 0 before it is read. */
  size_t stdin_at;
  bool stdin_ended;
  char **arguments;
  const char *command;
  /* ISTHMUS_TIMEOUT. */
  const char *seconds;
  /* When that is over, as now() tells. */
  int64_t deadline;
};

extern struct call call;

/* The variable's value, or `unset` where it has none. */
const char *setting(const char *name, const char *unset);

/* Milliseconds. */
int64_t now(void);

/* True when one of `events` has happened, or an error that the next call tells; false when `limit` has passed. */
bool wait_for(int fd, short events, int64_t limit);

/* There is room for `size` bytes, which are never more than a few times 64 MiB. False: no memory. */
bool reserve(size_t size);

/* The bytes are at the end of those used. False: no memory. */
bool append(const char *bytes, size_t length);

/* The bytes are written, whole, also to a pipe that somebody made non-blocking. False where they cannot be. */
bool write_all(int fd, const void *bytes, size_t length);

#endif
