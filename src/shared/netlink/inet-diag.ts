import { type Addr, addrFromBytes } from '../model/addr.ts';
import { NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, TCP_CLOSE, TCP_LISTEN } from './constants.ts';
import { NetlinkSocket } from './socket.ts';

/** A socket that receives on its port: struct inet_diag_msg, linux/inet_diag.h. */
export interface BoundSocket {
  readonly address: Addr;
  readonly port: number;
  /** As in /proc/<pid>/fd: `socket:[<inode>]`. */
  readonly inode: number;
}

/** struct inet_diag_req_v2. */
const REQUEST_BYTES = 56;
const ANY_STATE = 0xffffffff;

/**
 * Lists the sockets of one address family (AF_INET, AF_INET6) and protocol (IPPROTO_*) that others can send to:
 * listening ones, and for UDP the unconnected ones. In the thread's network namespace. Empty if the kernel lacks the
 * protocol.
 */
export function boundSockets(family: number, protocol: number, datagram: boolean): BoundSocket[] {
  const payload = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(payload.buffer);
  view.setUint8(0, family);
  view.setUint8(1, protocol);
  view.setUint32(4, datagram ? (1 << TCP_CLOSE) & ANY_STATE : 1 << TCP_LISTEN, true);
  using socket = new NetlinkSocket(NETLINK_SOCK_DIAG);
  try {
    return socket.dump({ type: SOCK_DIAG_BY_FAMILY, payload }).flatMap((message) => decode(message.payload) ?? []);
  } catch {
    return [];
  }
}

/** idiag_family, …, id.idiag_sport (big-endian) at 4, id.idiag_src at 8, idiag_inode at 68. */
function decode(payload: Uint8Array): BoundSocket | undefined {
  if (payload.length < 72) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const bytes = payload.subarray(8, view.getUint8(0) === 2 ? 12 : 24);
  const address = addrFromBytes(bytes);
  if (address === undefined) return undefined;
  return { address, port: view.getUint16(4), inode: view.getUint32(68, true) };
}
