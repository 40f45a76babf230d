/*
 * Stands where the launcher looks for the plugin. Beside itself it writes down what it was called with: name and
 * arguments in <file>.cmdline, environment in <file>.environ, the descriptors it was given in <file>.fds, and what it
 * can read on stdin in <file>.stdin.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char self[4096];

static int create(const char *name) {
  char path[4200];
  snprintf(path, sizeof path, "%s.%s", self, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd < 0) exit(90);
  return fd;
}

static void copy(int from, const char *name) {
  static char bytes[1 << 16];
  int to = create(name);
  for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
    if (write(to, bytes, (size_t)length) != length) exit(91);
}

int main(void) {
  static char fds[1 << 16];
  size_t length = 0;
  for (int fd = 0; fd < 1024; fd++) {
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, target, sizeof target - 1);
    if (size < 0) continue;
    target[size] = '\0';
    length += (size_t)snprintf(fds + length, sizeof fds - length, "%d %s\n", fd, target);
    if (length >= sizeof fds) return 92;
  }
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 93;
  if (write(create("fds"), fds, length) != (ssize_t)length) return 94;
  copy(open("/proc/self/cmdline", O_RDONLY), "cmdline");
  copy(open("/proc/self/environ", O_RDONLY), "environ");
  copy(STDIN_FILENO, "stdin");
  puts("stand-in");
  return 7;
}
