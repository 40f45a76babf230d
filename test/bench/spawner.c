/*
 * Starts programs as a container runtime does, and reports how long each call took. One thread, vfork and pipes keep
 * its own cost small and equal for all programs, even when many calls are under way.
 *
 * stdin, strings that each end with NUL:
 *   lanes; each: width, "all" or "meanwhile"
 *   calls; each: lane, steps; each step: namespace, file, head, splice, tail, arguments; each argument; variables;
 *   each variable
 * The calls of a lane start in order, `width` at a time. Those of a "meanwhile" lane start only while calls of the
 * other kind of lane are pending or under way. A step's stdin is head, splice and tail; splice is "-" for nothing, "^"
 * for the output of the previous step, or a number for the final output of that call. Without a file, head is the name
 * of a link, which this process deletes.
 *
 * stdout: for each call a line "index start end cpu status length" with times in nanoseconds, then `length` bytes of the
 * call's output, and a newline. `cpu` is the CPU time of its processes, user and system. The status of a call is the
 * first non-zero one of its steps.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The capacity of a pipe without a reader. */
#define MAX_TEXT 65536

struct step {
  char *netns, *file, *head, *splice, *tail;
  /* The first argument is the file's name; both end with NULL. */
  char **arguments, **variables;
};

struct call {
  size_t lane, steps, at;
  struct step *step;
  pid_t pid;
  int from, status;
  bool made, ended;
  int64_t start, end, cpu;
  char *output;
  size_t length;
};

struct lane {
  size_t width, running, next;
  bool meanwhile;
};

static char *input, *input_end;
static struct lane *lanes;
static struct call *calls;
static size_t lane_count, call_count;
/* The number of unfinished calls in lanes that must finish. */
static size_t left;

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "spawner: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void *room(size_t count, size_t size) {
  void *made = calloc(count + 1, size);
  if (made == NULL) fail("memory");
  return made;
}

static char *next_string(void) {
  char *found = input;
  char *end = memchr(input, '\0', (size_t)(input_end - input));
  if (end == NULL) {
    errno = EINVAL;
    fail("input ends early");
  }
  input = end + 1;
  return found;
}

static size_t next_number(void) { return (size_t)strtoul(next_string(), NULL, 10); }

/* A list behind its length, with room for `before` strings at its start. */
static char **next_strings(size_t before) {
  size_t count = next_number();
  char **strings = room(before + count, sizeof *strings);
  for (size_t i = 0; i < count; i++) strings[before + i] = next_string();
  return strings;
}

static void read_input(void) {
  size_t size = 1 << 20, used = 0;
  char *bytes = NULL;
  for (;;) {
    bytes = realloc(bytes, size);
    if (bytes == NULL) fail("memory");
    ssize_t length = read(STDIN_FILENO, bytes + used, size - used);
    if (length < 0) fail("stdin");
    if (length == 0) break;
    used += (size_t)length;
    if (used == size) size *= 2;
  }
  input = bytes;
  input_end = bytes + used;
}

static void parse(void) {
  lane_count = next_number();
  lanes = room(lane_count, sizeof *lanes);
  for (size_t i = 0; i < lane_count; i++) {
    lanes[i].width = next_number();
    lanes[i].meanwhile = strcmp(next_string(), "meanwhile") == 0;
  }
  call_count = next_number();
  calls = room(call_count, sizeof *calls);
  for (size_t i = 0; i < call_count; i++) {
    struct call *call = &calls[i];
    call->lane = next_number();
    if (!lanes[call->lane].meanwhile) left++;
    call->steps = next_number();
    call->step = room(call->steps, sizeof *call->step);
    for (size_t j = 0; j < call->steps; j++) {
      struct step *step = &call->step[j];
      step->netns = next_string();
      step->file = next_string();
      step->head = next_string();
      step->splice = next_string();
      step->tail = next_string();
      step->arguments = next_strings(1);
      step->arguments[0] = step->file;
      step->variables = next_strings(0);
    }
  }
}

/* Moves this process into the namespace; its children inherit that. */
static void enter(const char *path) {
  static const char *current = "";
  if (strcmp(path, current) == 0) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) fail(path);
  close(fd);
  current = path;
}

/* Deletes the link; returns 0 or an errno. The socket is open before the time starts. */
static int delete_link(struct call *call, const char *name) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
    struct rtattr attribute;
    char name[16];
  } request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_DELLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .attribute = {.rta_len = RTA_LENGTH(16), .rta_type = IFLA_IFNAME},
  };
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[1024];
  } reply;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("netlink");
  strncpy(request.name, name, sizeof request.name - 1);
  call->start = now();
  if (send(fd, &request, sizeof request, 0) < 0 || recv(fd, &reply, sizeof reply, 0) < 0) fail("netlink");
  call->end = now();
  close(fd);
  return reply.header.nlmsg_type == NLMSG_ERROR ? -reply.error.error : EPROTO;
}

static void put(int fd, const char *text, size_t length) {
  if (length > 0 && write(fd, text, length) != (ssize_t)length) fail("pipe");
}

static void start_step(struct call *call) {
  struct step *step = &call->step[call->at];
  int to_child[2], from_child[2];
  const struct call *source = NULL;
  if (strcmp(step->splice, "^") == 0) source = call;
  else if (strcmp(step->splice, "-") != 0) source = &calls[strtoul(step->splice, NULL, 10)];
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) fail("pipe");
  put(to_child[1], step->head, strlen(step->head));
  if (source != NULL) put(to_child[1], source->output, source->length);
  put(to_child[1], step->tail, strlen(step->tail));
  close(to_child[1]);
  call->pid = vfork();
  if (call->pid < 0) fail("vfork");
  if (call->pid == 0) {
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    execve(step->file, step->arguments, step->variables);
    _exit(127);
  }
  close(to_child[0]);
  close(from_child[1]);
  call->from = from_child[0];
}

static int64_t nanoseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_usec * 1000; }

/* Ends the call or starts its next step. */
static void finish_step(struct call *call, int status) {
  static char text[MAX_TEXT];
  ssize_t length = read(call->from, text, sizeof text);
  if (length < 0) fail("output");
  close(call->from);
  free(call->output);
  call->output = room((size_t)length, 1);
  memcpy(call->output, text, (size_t)length);
  call->length = (size_t)length;
  if (call->status == 0) call->status = status;
  if (status == 0 && ++call->at < call->steps) {
    start_step(call);
    return;
  }
  call->end = now();
  call->ended = true;
  lanes[call->lane].running--;
  if (!lanes[call->lane].meanwhile) left--;
}

static void start_call(struct call *call) {
  call->made = true;
  enter(call->step->netns);
  if (*call->step->file == '\0') {
    call->status = delete_link(call, call->step->head);
    call->ended = true;
    left--;
    return;
  }
  lanes[call->lane].running++;
  call->start = now();
  start_step(call);
}

/* Starts every call that may start now. */
static void start_calls(void) {
  for (size_t i = 0; i < lane_count; i++) {
    struct lane *lane = &lanes[i];
    while (lane->running < lane->width && (!lane->meanwhile || left > 0)) {
      while (lane->next < call_count && calls[lane->next].lane != i) lane->next++;
      if (lane->next == call_count) break;
      start_call(&calls[lane->next++]);
    }
  }
}

int main(void) {
  read_input();
  parse();
  for (;;) {
    start_calls();
    int status;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, 0, &usage);
    if (pid < 0 && errno == ECHILD) break;
    if (pid < 0) fail("wait4");
    for (size_t i = 0; i < call_count; i++)
      if (calls[i].made && !calls[i].ended && calls[i].pid == pid) {
        calls[i].cpu += nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
        finish_step(&calls[i], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        break;
      }
  }
  for (size_t i = 0; i < call_count; i++) {
    if (!calls[i].made) continue;
    printf("%zu %lld %lld %lld %d %zu\n", i, (long long)calls[i].start, (long long)calls[i].end,
           (long long)calls[i].cpu, calls[i].status, calls[i].length);
    fwrite(calls[i].output, 1, calls[i].length, stdout);
    putchar('\n');
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
