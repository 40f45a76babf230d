// The machine behind a tap: opens the device by its name, answers ARP for one address and echo requests to it.
// Usage: tap-peer <device> <address>. Prints "open" once it has the device; runs until it is killed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/if_tun.h, which musl's compiler does not find. */
enum { TUN_SET_IFF = 0x400454ca, TAP = 0x0002, WITHOUT_PACKET_INFORMATION = 0x1000 };

static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x77};

/* An Ethernet header has 14 bytes, an ARP packet 28 (RFC 826), an IPv4 header without options 20. */
enum { ETHERNET = 14, ARP_REQUEST = ETHERNET + 28, IP = ETHERNET, ICMP = ETHERNET + 20 };

static void to_sender(uint8_t *frame) {
  memcpy(frame, frame + 6, 6);
  memcpy(frame + 6, mac, 6);
}

static int answer_arp(uint8_t *frame, ssize_t length, const uint8_t *own) {
  uint8_t *arp = frame + ETHERNET;
  if (length < ARP_REQUEST || arp[7] != 1 || memcmp(arp + 24, own, 4) != 0) return 0;
  to_sender(frame);
  arp[7] = 2;
  memcpy(arp + 18, arp + 8, 10);
  memcpy(arp + 8, mac, 6);
  memcpy(arp + 14, own, 4);
  return 1;
}

static int answer_echo(uint8_t *frame, ssize_t length, const uint8_t *own) {
  uint8_t *ip = frame + IP, *icmp = frame + ICMP;
  if (length < ICMP + 8 || ip[0] != 0x45 || ip[9] != 1 || icmp[0] != 8 || memcmp(ip + 16, own, 4) != 0) return 0;
  to_sender(frame);
  memcpy(ip + 16, ip + 12, 4);
  memcpy(ip + 12, own, 4);
  icmp[0] = 0;
  /* The type was 8: the checksum grows by as much, with its carry (RFC 1624). */
  uint32_t sum = (uint32_t)((icmp[2] << 8) | icmp[3]) + 0x0800;
  sum = (sum & 0xffff) + (sum >> 16);
  icmp[2] = (uint8_t)(sum >> 8);
  icmp[3] = (uint8_t)sum;
  return 1;
}

int main(int argc, char **argv) {
  struct ifreq request = {.ifr_flags = TAP | WITHOUT_PACKET_INFORMATION};
  uint8_t frame[2048], own[4];
  if (argc != 3 || inet_pton(AF_INET, argv[2], own) != 1) return 2;
  strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
  int tap = open("/dev/net/tun", O_RDWR);
  if (tap < 0 || ioctl(tap, TUN_SET_IFF, &request) < 0) {
    perror(argv[1]);
    return 1;
  }
  puts("open");
  fflush(stdout);
  for (;;) {
    ssize_t length = read(tap, frame, sizeof frame);
    if (length < ETHERNET) return 1;
    int type = (frame[12] << 8) | frame[13];
    int answers = type == 0x0806 ? answer_arp(frame, length, own) : type == 0x0800 && answer_echo(frame, length, own);
    if (answers && write(tap, frame, (size_t)length) != length) return 1;
  }
}
