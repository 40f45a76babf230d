#include "call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct call call = {.command = "call", .seconds = DEFAULT_TIMEOUT};

const char *setting(const char *name, const char *unset) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? unset : value;
}

int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

bool wait_for(int fd, short events, int64_t limit) {
  struct pollfd polled = {.fd = fd, .events = events};
  for (;;) {
    int64_t left = limit - now();
    if (left <= 0) return false;
    if (poll(&polled, 1, (int)left) > 0) return true;
  }
}

bool reserve(size_t size) {
  if (size <= call.capacity) return true;
  size_t larger = call.capacity == 0 ? CHUNK : call.capacity;
  while (larger < size) larger *= 2;
  void *moved = call.capacity == 0
                    ? mmap(NULL, larger, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : mremap(call.bytes, call.capacity, larger, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return false;
  call.bytes = moved;
  call.capacity = larger;
  return true;
}

bool append(const char *bytes, size_t length) {
  if (!reserve(call.used + length)) return false;
  memcpy(call.bytes + call.used, bytes, length);
  call.used += length;
  return true;
}

bool write_all(int fd, const void *bytes, size_t length) {
  const char *rest = bytes;
  while (length > 0) {
    ssize_t written = write(fd, rest, length);
    if (written >= 0) {
      rest += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd polled = {.fd = fd, .events = POLLOUT};
      poll(&polled, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}
