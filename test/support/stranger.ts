import { closeSync, openSync } from 'node:fs';
import { addrToBytes, parseAddr } from '../../src/shared/model/addr.ts';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../src/shared/netlink/constants.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { bind, connect, loadLibrary, setsockopt, socket } from '../../src/shared/netlink/sys.ts';

const { listen } = loadLibrary(null, { listen: { return: 'i32', arguments: ['i32', 'i32'] } });
const ON = new Uint8Array(Int32Array.of(1).buffer);

export interface Attempt {
  readonly address: string;
  readonly port: number;
  readonly protocol?: 'tcp' | 'udp';
  /** SO_REUSEADDR, as servers in Go and Node have it for TCP. Default: false. */
  readonly reuse?: boolean;
  /** False: binds only. Default: true. */
  readonly listens?: boolean;
}

/** A socket of this process in the namespace, as any server's. */
export interface Taken extends Disposable {
  /** Connects it to a port of the same address. */
  connect(port: number): void;
}

/** Takes the port as another program would; undefined if the kernel refuses. IPv6 sockets take no IPv4. */
export function takePort(
  path: string,
  { address, port, protocol = 'tcp', reuse, listens = true }: Attempt,
): Taken | undefined {
  const addr = parseAddr(address);
  if (addr === undefined) throw new Error(`${address} is not an address`);
  const bytes = new Uint8Array(addr.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, addr.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(addrToBytes(addr), addr.family === 4 ? 4 : 8);
  return inNetns(path, () => {
    const type = protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
    const fd = socket(addr.family === 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    if (addr.family === 6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, ON);
    if (reuse) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON);
    const isTaken = bind(fd, bytes) === 0 && (protocol === 'udp' || !listens || listen(fd, 8) === 0);
    const to = (other: number): Uint8Array => {
      const peer = bytes.slice();
      new DataView(peer.buffer).setUint16(2, other);
      return peer;
    };
    if (isTaken) return { connect: (other) => connect(fd, to(other)), [Symbol.dispose]: () => closeSync(fd) };
    closeSync(fd);
    return undefined;
  });
}

/** True if no other program can take the port, whatever options it sets. */
export function isHeld(path: string, attempt: Attempt): boolean {
  return [false, true].every((reuse) => {
    using taken = takePort(path, { ...attempt, reuse });
    return taken === undefined;
  });
}

/** True if any program can take the port. */
export function isFree(path: string, attempt: Attempt): boolean {
  using taken = takePort(path, attempt);
  return taken !== undefined;
}

function inNetns<T>(path: string, work: () => T): T {
  const [target, own] = [path, '/proc/self/ns/net'].map((file) => openSync(file, 'r'));
  try {
    return withinNetns(target as number, own as number, work);
  } finally {
    for (const fd of [target, own]) if (fd !== undefined) closeSync(fd);
  }
}
