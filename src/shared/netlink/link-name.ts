import { loadLibrary } from './sys.ts';

const SIOCGIFNAME = 0x8910;
/** struct ifreq: the name (IFNAMSIZ), then a union. linux/if.h */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

let libc: { readonly ioctl: (fd: number, request: bigint, argument: Uint8Array) => number } | undefined;

/**
 * Returns the name of the link with that index in a socket's network namespace; undefined if it does not exist. Source:
 * netdevice(7).
 */
export function linkName(socketFd: number, index: number): string | undefined {
  libc ??= loadLibrary(null, { ioctl: { return: 'i32', arguments: ['i32', 'u64', 'pointer'] } });
  const request = Buffer.alloc(IFREQ_BYTES);
  request.writeInt32LE(index, IFNAMSIZ);
  if (libc.ioctl(socketFd, BigInt(SIOCGIFNAME), request) !== 0) return undefined;
  return request.toString('utf8', 0, request.indexOf(0));
}
