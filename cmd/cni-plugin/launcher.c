/*
 * The launcher: the file that runtimes execute. It hands the call to the daemon and prints its answer. If no daemon
 * serves the call, it becomes the stand-alone plugin, with the same name, environment and stdin. The two must never
 * both run a call: once the daemon has claimed it, the launcher does not run the plugin.
 *
 * protocol.ts defines what launcher and daemon exchange. build/launcher.ts passes its numbers, and other texts that
 * launcher and plugin share, as macros.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "launcher/call.h"
#include "launcher/config.h"
#include "launcher/plugin.h"
#include "launcher/print.h"

/* From linux/nsfs.h and linux/magic.h, which musl lacks. */
#ifndef NS_GET_NSTYPE
#define NS_GET_NSTYPE 0xb703
#endif
#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

#define RUN_DIR "/run/isthmus"
#define STATE_DIR "/var/lib/isthmus"
#define SOCKET_NAME "/cni.sock"
#define LONGEST_TIMEOUT "86400"

/* Writes `value` at `at` of the header, in `size` bytes, lowest first. */
static void put(size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) call.bytes[at + i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get32(size_t at) {
  const unsigned char *bytes = call.bytes + at;
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/*
 * Reserves room for the header, and appends the name and the environment: all variables, since delegates get the
 * caller's. False: out of memory.
 */
static bool begin_request(const char *name) {
  if (!reserve(REQUEST_BYTES)) return false;
  call.used = REQUEST_BYTES;
  if (!append(name, strlen(name) + 1)) return false;
  for (char **entry = environ; *entry != NULL; entry++)
    if (strchr(*entry, '=') != NULL && !append(*entry, strlen(*entry) + 1)) return false;
  return append("", 1);
}

/* Opens the network namespace that CNI_NETNS leads to; -1 if it leads to none. Opening never waits. */
static int open_netns(void) {
  struct statfs found;
  int fd = open(setting("CNI_NETNS", ""), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return -1;
  if (fstatfs(fd, &found) == 0 && found.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET) return fd;
  close(fd);
  return -1;
}

/* Fills in the header. */
static void finish_request(void) {
  struct stat found;
  memset(call.bytes, 0, REQUEST_BYTES);
  put(0, MAGIC, 4);
  put(4, PROTOCOL_VERSION, 2);
  put(8, call.used - REQUEST_BYTES, 4);
  put(12, (uint32_t)open_netns(), 4);
  /* The plugin refuses a symbolic link, so ignore the directory behind one. */
  if (lstat(setting("ISTHMUS_STATE_DIR", STATE_DIR), &found) == 0) {
    put(32, found.st_dev, 8);
    put(40, found.st_ino, 8);
  }
}

/* Moves a descriptor above stdin, stdout and stderr, any of which the caller may have closed. */
static int above_stdio(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return higher;
}

/* Connects to a daemon of root or of this process's own user; -1 if that does not succeed at once. */
static int connect_daemon(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *dir = setting("ISTHMUS_RUN_DIR", RUN_DIR);
  size_t length = strlen(dir);
  if (*dir != '/' || *setting("ISTHMUS_STATE_DIR", STATE_DIR) != '/') return -1;
  if (length + sizeof SOCKET_NAME > sizeof address.sun_path) return -1;
  memcpy(address.sun_path, dir, length);
  memcpy(address.sun_path + length, SOCKET_NAME, sizeof SOCKET_NAME);
  int fd = above_stdio(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) return -1;
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  return peer.uid == 0 || peer.uid == geteuid() ? fd : -1;
}

/* Like recv(2), for data that is there now; -1 with EAGAIN without any. */
static ssize_t receive(int fd, void *bytes, size_t size) {
  ssize_t length;
  do length = recv(fd, bytes, size, 0);
  while (length < 0 && errno == EINTR);
  return length;
}

/*
 * Sends the request and returns the daemon's first byte, or -1 if none arrives before `limit`. At the limit it shuts
 * the connection, and sets `shut`: the kernel refuses a claim from then on, so a claim that came before is the last
 * possible one, and it counts.
 */
static int exchange(int fd, int64_t limit, bool *shut) {
  size_t sent = 0;
  unsigned char first;
  for (;;) {
    if (sent < call.used) {
      ssize_t length = send(fd, call.bytes + sent, call.used - sent, MSG_NOSIGNAL);
      if (length >= 0) sent += (size_t)length;
      else if (errno != EAGAIN && errno != EINTR) break;
    }
    if (!wait_for(fd, sent < call.used ? POLLIN | POLLOUT : POLLIN, limit)) break;
    ssize_t length = receive(fd, &first, 1);
    if (length == 1) return first;
    if (length == 0 || errno != EAGAIN) break;
  }
  *shut = true;
  shutdown(fd, SHUT_RDWR);
  return receive(fd, &first, 1) == 1 ? first : -1;
}

/* Ends the process: the daemon has claimed the call, and its outcome is unknown. */
static _Noreturn void fail_claimed(const char *version, const char *what, const char *amount, const char *unit) {
  bool add = strcmp(call.command, "ADD") == 0;
  fail(NUMBER(CODE_BUSY), version, WORDS(call.command, " daemon: ", what, amount, unit),
       add ? "Call DEL, then try again; the daemon's log tells more" : "Try again; the daemon's log tells more");
}

/* Reads the sizes of stdout and stderr from the answer's header. False: not an answer of our daemon. */
static bool read_sizes(size_t *out, size_t *err) {
  *out = get32(4);
  *err = get32(8);
  if (call.bytes[0] != ANSWER || call.bytes[2] != 0 || call.bytes[3] != 0) return false;
  return *out <= MAX_ANSWER && *err <= MAX_ANSWER - *out;
}

/* Prints the answer of the daemon, which has claimed the call, and ends. */
static _Noreturn void print_answer(int fd, bool shut) {
  const char *version = answer_version();
  const char *ended = shut ? "claimed the call too late" : "ended before it answered";
  size_t out = 0, err = 0, wanted = ANSWER_BYTES;
  call.used = 0;
  while (call.used < wanted) {
    if (!reserve(wanted)) fail_claimed(version, "gave an answer that does not fit into memory", "", "");
    ssize_t length = receive(fd, call.bytes + call.used, call.capacity - call.used);
    if (length > 0) call.used += (size_t)length;
    else if (length == 0 || errno != EAGAIN) fail_claimed(version, ended, "", "");
    else if (!wait_for(fd, POLLIN, call.deadline)) fail_claimed(version, "did not answer within ", call.seconds, " s");
    if (call.used < ANSWER_BYTES || wanted > ANSWER_BYTES) continue;
    if (!read_sizes(&out, &err)) fail_claimed(version, "gave a malformed answer", "", "");
    wanted += out + err;
  }
  signal(SIGPIPE, SIG_IGN);
  int code = call.bytes[1];
  if (!write_all(STDOUT_FILENO, call.bytes + ANSWER_BYTES, out) && code == 0) code = 1;
  write_all(STDERR_FILENO, call.bytes + ANSWER_BYTES + out, err);
  _exit(code);
}

static bool is_command(const char *name) {
  static const char *const commands[] = COMMANDS;
  for (size_t i = 0; name != NULL && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(commands[i], name) == 0) return true;
  return false;
}

/* True for a whole number from 1 to LONGEST_TIMEOUT, without leading zeros. */
static bool is_timeout(const char *text) {
  size_t length = strlen(text), longest = strlen(LONGEST_TIMEOUT);
  if (length == 0 || *text == '0' || strspn(text, "0123456789") < length || length > longest) return false;
  return length < longest || strcmp(text, LONGEST_TIMEOUT) <= 0;
}

/* Answers VERSION and ends; returns if only the plugin's parser can read the configuration. */
static void answer_version_command(void) {
  struct words version = {NEWEST, strlen(NEWEST)};
  if (call.used - call.stdin_at > MAX_STDIN || asked_version(&version) == UNCLEAR) return;
  signal(SIGPIPE, SIG_IGN);
  print(VERSION_HEAD);
  print_bytes(version.at, version.length);
  print(VERSION_TAIL);
  _exit(flush() ? 0 : 1);
}

int main(int argc, char **argv) {
  int64_t start = now();
  struct stat input;
  const char *name = argc > 0 && *argv[0] != '\0' ? argv[0] : "isthmus";
  const char *command = getenv("CNI_COMMAND");
  const char *timeout = setting("ISTHMUS_TIMEOUT", DEFAULT_TIMEOUT);
  call.arguments = argv;
  if (argc > 1 || !is_command(command) || fstat(STDIN_FILENO, &input) != 0 || S_ISCHR(input.st_mode)) run_plugin();
  call.command = command;
  if (is_timeout(timeout)) call.seconds = timeout;
  call.deadline = start + atoi(call.seconds) * (int64_t)1000;
  if (!begin_request(name)) run_plugin();
  bool whole = read_stdin();
  if (strcmp(command, "VERSION") == 0) {
    if (whole) answer_version_command();
    run_plugin();
  }
  if (call.seconds != timeout)
    fail(NUMBER(CODE_ENVIRONMENT), answer_version(),
         WORDS("environment ISTHMUS_TIMEOUT=", timeout, ": is not a whole number of seconds from 1 to " LONGEST_TIMEOUT),
         "Give one, or leave it out for " DEFAULT_TIMEOUT);
  if (!whole || call.used - REQUEST_BYTES > MAX_BODY) run_plugin();
  int64_t limit = now() + CLAIM_MS;
  bool shut = false;
  int fd = connect_daemon();
  if (fd < 0) run_plugin();
  finish_request();
  if (exchange(fd, limit, &shut) != CLAIM) run_plugin();
  print_answer(fd, shut);
}
