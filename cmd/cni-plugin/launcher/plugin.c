#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "config.h"
#include "print.h"

/* From linux/memfd.h (6.3). */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

#define PLUGIN_NAME "cni-plugin"
#define INSTALLED_PLUGIN "/usr/lib/isthmus/" PLUGIN_NAME
/* Bytes of stdin to pass to the plugin at most; its error reports the size of a larger input. */
#define MAX_PASSED ((size_t)64 << 20)

/* Appends more of stdin to the bytes used, or sets stdin_ended. False: reading failed. */
static bool read_more(void) {
  if (!reserve(call.used + CHUNK / 2)) return false;
  for (;;) {
    if (!wait_for(STDIN_FILENO, POLLIN, call.deadline))
      fail(NUMBER(CODE_IO), NEWEST, WORDS(call.command, " stdin: did not end within ", call.seconds, " s"),
           "Close it behind the configuration");
    ssize_t length = read(STDIN_FILENO, call.bytes + call.used, call.capacity - call.used);
    if (length >= 0) {
      call.used += (size_t)length;
      call.stdin_ended = length == 0;
      return true;
    }
    if (errno != EINTR && errno != EAGAIN) return false;
  }
}

bool read_stdin(void) {
  call.stdin_at = call.used;
  while (!call.stdin_ended)
    if (call.used - call.stdin_at > MAX_STDIN + 1 || !read_more()) return false;
  return call.used - call.stdin_at <= MAX_STDIN + 1;
}

/*
 * Lets the plugin read on fd 0 what was read here and the rest of stdin. False: out of memory. The file carries the
 * name by which a plugin that looks for delegates recognizes the launcher.
 */
static bool give_back_stdin(void) {
  if (call.stdin_at == 0 || call.used == call.stdin_at) return true;
  int file = memfd_create(LAUNCHER_MARK, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
  if (file < 0 && errno == EINVAL) file = memfd_create(LAUNCHER_MARK, MFD_CLOEXEC);
  if (file < 0) return false;
  for (size_t passed = 0;;) {
    size_t length = call.used - call.stdin_at;
    if (!write_all(file, call.bytes + call.stdin_at, length)) return false;
    passed += length;
    call.used = call.stdin_at;
    if (call.stdin_ended || passed >= MAX_PASSED || !read_more()) break;
  }
  return lseek(file, 0, SEEK_SET) == 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO;
}

/*
 * Renames the variables that Node reads, so that the plugin ignores them. The plugin restores them for its delegates.
 * The new names have the same length.
 */
static void rename_node_variables(void) {
  for (char **entry = environ; *entry != NULL; entry++)
    if (strncmp(*entry, NODE_PREFIX, strlen(NODE_PREFIX)) == 0) memcpy(*entry, NODE_RENAMED, strlen(NODE_RENAMED));
}

/* The path of the plugin beside this file, even if this file was replaced meanwhile. False: the path is too long. */
static bool find_beside(char *path, size_t size) {
  ssize_t length = readlink("/proc/self/exe", path, size);
  while (length > 0 && path[length - 1] != '/') length--;
  bool fits = length > 0 && (size_t)length + sizeof PLUGIN_NAME <= size;
  memcpy(fits ? path + length : path, PLUGIN_NAME, sizeof PLUGIN_NAME);
  return fits;
}

/*
 * The name selects what the plugin's executable does. `isthmus` selects the command line of operators unless a runtime
 * calls, so call it by its own name then.
 */
static void select_plugin(void) {
  static char own[] = PLUGIN_NAME;
  const char *name = call.arguments[0];
  if (name == NULL || (call.arguments[1] == NULL && *setting("CNI_COMMAND", "") != '\0')) return;
  const char *slash = strrchr(name, '/');
  if (strcmp(slash == NULL ? name : slash + 1, "isthmus") == 0) call.arguments[0] = own;
}

/* Replaces this process with the plugin; returns if `path` is not a program, or is the launcher itself. */
static void try_plugin(const char *path) {
  struct stat own, other;
  if (stat(path, &other) != 0) return;
  if (stat("/proc/self/exe", &own) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino)
    errno = ELOOP;
  else
    execve(path, call.arguments, environ);
}

_Noreturn void run_plugin(void) {
  char beside[4096];
  const char *version = answer_version();
  if (!give_back_stdin())
    fail(NUMBER(CODE_BUSY), version, WORDS(call.command, " stdin: cannot be passed on (", strerror(errno), ")"),
         "Try again later");
  rename_node_variables();
  select_plugin();
  errno = ENOENT;
  if (find_beside(beside, sizeof beside)) try_plugin(beside);
  int reason = errno;
  try_plugin(INSTALLED_PLUGIN);
  if (errno != ENOENT) reason = errno;
  const char *const words[] = {call.command, " plugin: can be run neither as ", beside,
                               " nor as " INSTALLED_PLUGIN " (", strerror(reason), ")", NULL};
  fail(NUMBER(CODE_BUSY), version, words, "Install Isthmus anew, or start its daemon");
}
