/*
 * Makes bridge ports with given netlink messages, and reports how long the kernel took for each. It deletes each one
 * before it makes the next.
 *
 * Arguments: how often, the pod's namespace, the name of the pod's interface; then for each host its namespace and its
 * bridge. The hosts take turns.
 * stdin: for each send a line "host HEX" or "pod HEX", in order: the socket, and the messages. A word of a message that
 * holds one of the marks stands for what only this process knows.
 * stdout: for each port a line with the number of its host and the nanoseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SENDS 64
#define MAX_BYTES 16384

struct send {
  int in_pod;
  size_t length;
  unsigned char bytes[MAX_BYTES];
};

struct host {
  int socket;
  uint32_t bridge;
};

static struct send sends[MAX_SENDS];
static size_t send_count;

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "ports: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int open_namespace(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

/* A socket of the namespace; this process stays there. */
static int open_socket(int namespace) {
  if (setns(namespace, CLONE_NEWNET) != 0) fail("setns");
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  int on = 1;
  if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0) fail("netlink");
  return fd;
}

static uint32_t index_of(int socket, const char *name) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (ioctl(socket, SIOCGIFINDEX, &request) != 0) fail(name);
  return (uint32_t)request.ifr_ifindex;
}

static void read_sends(void) {
  static char line[2 * MAX_BYTES + 16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (send_count == MAX_SENDS) fail("too many sends");
    struct send *one = &sends[send_count++];
    one->in_pod = strncmp(line, "pod ", 4) == 0;
    unsigned byte;
    for (const char *hex = strchr(line, ' ') + 1; sscanf(hex, "%2x", &byte) == 1; hex += 2)
      one->bytes[one->length++] = (unsigned char)byte;
  }
}

static void replace(unsigned char *bytes, size_t length, uint32_t mark, uint32_t value) {
  for (size_t at = 0; at + 4 <= length; at += 4)
    if (memcmp(bytes + at, &mark, 4) == 0) memcpy(bytes + at, &value, 4);
}

/* Sends the messages and reads an answer to each. */
static void exchange(int socket, const unsigned char *bytes, size_t length) {
  static char reply[65536];
  size_t unanswered = 0;
  for (size_t at = 0; at < length; at += NLMSG_ALIGN(((const struct nlmsghdr *)(bytes + at))->nlmsg_len)) unanswered++;
  if (send(socket, bytes, length, 0) < 0) fail("send");
  while (unanswered > 0) {
    ssize_t got = recv(socket, reply, sizeof reply, 0);
    if (got < 0) fail("recv");
    int rest = (int)got;
    for (struct nlmsghdr *header = (struct nlmsghdr *)reply; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
      if (errno != 0) fail("the kernel's answer");
      unanswered--;
    }
  }
}

static int64_t make(const struct host *host, int pod, int pod_socket, const char *interface, uint32_t *made) {
  unsigned char bytes[MAX_BYTES];
  int64_t start = now();
  for (size_t i = 0; i < send_count; i++) {
    struct send *one = &sends[i];
    memcpy(bytes, one->bytes, one->length);
    if (one->in_pod && *made == 0) *made = index_of(pod_socket, interface);
    replace(bytes, one->length, BRIDGE_MARK, host->bridge);
    replace(bytes, one->length, POD_MARK, (uint32_t)pod);
    replace(bytes, one->length, INTERFACE_MARK, *made);
    exchange(one->in_pod ? pod_socket : host->socket, bytes, one->length);
  }
  return now() - start;
}

static void delete_link(int socket, uint32_t index) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg info;
  } request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_DELLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .info = {.ifi_index = (int)index},
  };
  exchange(socket, (const unsigned char *)&request, sizeof request);
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  int hosts = (argc - 4) / 2;
  struct host host[hosts];
  read_sends();
  for (int i = 0; i < hosts; i++) {
    host[i].socket = open_socket(open_namespace(argv[4 + 2 * i]));
    host[i].bridge = index_of(host[i].socket, argv[5 + 2 * i]);
  }
  int pod = open_namespace(argv[2]);
  int pod_socket = open_socket(pod);
  for (int round = atoi(argv[1]); round > 0; round--) {
    for (int i = 0; i < hosts; i++) {
      uint32_t made = 0;
      int64_t took = make(&host[i], pod, pod_socket, argv[3], &made);
      printf("%d %lld\n", i, (long long)took);
      delete_link(pod_socket, made);
    }
  }
  return 0;
}
