import { type Addr, addrToBytes } from '../model/addr.ts';
import { attachFilter, type Step } from './bpf.ts';
import {
  AF_INET,
  AF_PACKET,
  SO_BINDTOIFINDEX,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from './constants.ts';
import { bindTo, opened } from './opened.ts';
import { connect, setsockopt, socket } from './sys.ts';

/** linux/if_ether.h. */
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;

/**
 * Opens a socket that sends frames through the link and receives those of one protocol that the filter passes, also those
 * to addresses that the link does not have. Works in the thread's namespace. Throws NetError `kernel`. Source: packet(7).
 */
export function openFrameSocket(ifindex: number, protocol: number, filter: readonly Step[] = []): number {
  // With protocol 0 nothing arrives before the filter is there.
  return opened(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (fd) => {
    if (filter.length > 0) attachFilter(fd, filter);
    // struct sockaddr_ll
    const address = new DataView(new ArrayBuffer(20));
    address.setUint16(0, AF_PACKET, true);
    address.setUint16(2, protocol);
    address.setInt32(4, ifindex, true);
    bindTo(fd, address);
  });
}

export interface UdpEnd {
  readonly addr: Addr;
  readonly port: number;
}

/** Opens a UDP socket from one end to the other through the link, in the thread's namespace. Throws NetError `kernel`. */
export function openUdpSocket(ifindex: number, from: UdpEnd, to: UdpEnd): number {
  return opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (fd) => {
    setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, integer(ifindex));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, integer(1));
    bindTo(fd, sockaddrIn(from));
    connect(fd, new Uint8Array(sockaddrIn(to).buffer));
  });
}

/** struct sockaddr_in. */
function sockaddrIn({ addr, port }: UdpEnd): DataView<ArrayBuffer> {
  const address = new DataView(new ArrayBuffer(16));
  address.setUint16(0, AF_INET, true);
  address.setUint16(2, port);
  new Uint8Array(address.buffer).set(addrToBytes(addr), 4);
  return address;
}

function integer(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
