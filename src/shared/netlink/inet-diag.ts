import { type Addr, addrFromBytes } from '../model/addr.ts';
import { NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, TCP_BOUND_INACTIVE, TCP_CLOSE, TCP_LISTEN } from './constants.ts';
import type { Message } from './message.ts';
import { NetlinkSocket } from './socket.ts';

/** A socket that has its port: struct inet_diag_msg, linux/inet_diag.h. */
export interface BoundSocket {
  readonly address: Addr;
  readonly port: number;
  /** As in /proc/<pid>/fd: `socket:[<inode>]`. */
  readonly inode: number;
}

export interface SocketQuery {
  /** AF_INET, AF_INET6. */
  readonly family: number;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** True for UDP, whose unconnected sockets are the ones that receive. */
  readonly datagram: boolean;
  /** Also sockets that are bound and idle. Linux 6.9 and later list them. */
  readonly idle?: boolean;
  /** Leaves out sockets with this mark (SO_MARK). A caller without CAP_NET_ADMIN gets them too. */
  readonly except: number;
}

/** struct inet_diag_req_v2. */
const REQUEST_BYTES = 56;
/** nlattr INET_DIAG_REQ_BYTECODE with two struct inet_diag_bc_op and one struct inet_diag_markcond. */
const FILTER_BYTES = 4 + 4 + 8 + 4;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_JMP = 1;
const INET_DIAG_BC_MARK_COND = 10;

/**
 * Lists the sockets that others can send to: listening ones, and for UDP the unconnected ones. In the thread's network
 * namespace. Empty if the kernel lacks the protocol.
 */
export function boundSockets(query: SocketQuery): BoundSocket[] {
  using socket = new NetlinkSocket(NETLINK_SOCK_DIAG);
  const dump = (payload: Uint8Array): Message[] | undefined => {
    try {
      return socket.dump({ type: SOCK_DIAG_BY_FAMILY, payload });
    } catch {
      return undefined;
    }
  };
  const payload = requestOf(query);
  const messages = dump(payload) ?? dump(payload.subarray(0, REQUEST_BYTES)) ?? [];
  return messages.flatMap((message) => decode(message.payload) ?? []);
}

function requestOf({ family, protocol, datagram, idle = false, except }: SocketQuery): Uint8Array {
  const payload = new Uint8Array(REQUEST_BYTES + FILTER_BYTES);
  const view = new DataView(payload.buffer);
  view.setUint8(0, family);
  view.setUint8(1, protocol);
  const states = datagram ? [TCP_CLOSE] : [TCP_LISTEN, ...(idle ? [TCP_BOUND_INACTIVE] : [])];
  view.setUint32(
    4,
    states.reduce((bits, state) => bits | (1 << state), 0),
    true,
  );
  const filter = REQUEST_BYTES;
  view.setUint16(filter, FILTER_BYTES, true);
  view.setUint16(filter + 2, INET_DIAG_REQ_BYTECODE, true);
  // With the mark: to the jump, which leaves the program behind its end and so drops the socket. Else: to the end.
  operation(view, filter + 4, INET_DIAG_BC_MARK_COND, 12, 16);
  view.setUint32(filter + 8, except, true);
  view.setUint32(filter + 12, 0xffffffff, true);
  operation(view, filter + 16, INET_DIAG_BC_JMP, 4, 8);
  return payload;
}

/** struct inet_diag_bc_op: what to do, and how many bytes to go on if it holds, and if not. */
function operation(view: DataView, at: number, code: number, yes: number, no: number): void {
  view.setUint8(at, code);
  view.setUint8(at + 1, yes);
  view.setUint16(at + 2, no, true);
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
