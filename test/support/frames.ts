import { closeSync, openSync } from 'node:fs';
import { addrToBytes, parseAddr } from '../../src/shared/model/addr.ts';
import { NETLINK_ROUTE } from '../../src/shared/netlink/constants.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { linkIndex, loadLibrary, recv, send, socket } from '../../src/shared/netlink/sys.ts';
import type { TestNetns } from './netns.ts';

/** linux/if_packet.h, linux/if_ether.h; all protocols, in network order. */
const [AF_PACKET, SOCK_RAW_NONBLOCK, ETH_P_ALL] = [17, 3 | 0o4000, 0x0300];
/** An EtherType for experiments (IEEE 802). */
const EXPERIMENT = 0x88b5;
const MAX_FRAME = 2048;

const libc = loadLibrary(null, { bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] } });

/** One link of a namespace, on which a test sends and sees whole frames. */
export class FramePort implements Disposable {
  readonly mac: string;
  readonly #fd: number;

  constructor(ns: Pick<TestNetns, 'path' | 'ip'>, device: string) {
    this.mac = /link\/ether (\S+)/.exec(ns.ip('link', 'show', 'dev', device))?.[1] ?? '';
    const [home, there] = ['/proc/thread-self/ns/net', ns.path].map((path) => openSync(path, 'r')) as [number, number];
    try {
      this.#fd = withinNetns(there, home, () => openPort(device));
    } finally {
      closeSync(there);
      closeSync(home);
    }
  }

  send(frame: Uint8Array): void {
    send(this.#fd, frame, 0);
  }

  /** The frames that came in since the last call, from others. */
  seen(): Buffer[] {
    const frames: Buffer[] = [];
    for (;;) {
      const buffer = Buffer.alloc(MAX_FRAME);
      const length = recv(this.#fd, buffer, 0);
      if (length === undefined) return frames;
      frames.push(buffer.subarray(0, length));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function openPort(device: string): number {
  using route = new NetlinkSocket(NETLINK_ROUTE);
  const fd = socket(AF_PACKET, SOCK_RAW_NONBLOCK, ETH_P_ALL);
  // struct sockaddr_ll
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ALL, true);
  address.setInt32(4, linkIndex(route.fd, device) ?? 0, true);
  if (libc.bind(fd, address, address.byteLength) !== 0) throw new Error(`no frames from ${device}`);
  return fd;
}

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = '33:33:00:00:00:01';

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

function ipBytes(address: string): Buffer {
  const addr = parseAddr(address);
  if (addr === undefined) throw new Error(`${address} is no address`);
  return Buffer.from(addrToBytes(addr));
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** What a frame is, as RFC 4861 and RFC 3810 name it. */
function kindOf(frame: Buffer): string {
  const type = frame.readUInt16BE(12);
  if (type === 0x0806) return 'ARP';
  if (type !== 0x86dd) return `type ${type.toString(16)}`;
  const isOption = frame[20] === 0;
  const icmp = frame[isOption ? 54 + 8 * ((frame[55] ?? 0) + 1) : 54] ?? 0;
  return { 133: 'RS', 134: 'RA', 135: 'NS', 136: 'NA', 143: 'MLD' }[icmp] ?? `ICMPv6 ${icmp}`;
}

/** True for an echo request to the address. */
export function isEchoFor(frame: Buffer, address: string): boolean {
  const target = ipBytes(address);
  // ICMP: protocol 1, type 8; ICMPv6: 58, 128.
  const [type, protocolAt, protocol, targetAt, icmpAt, echo] =
    target.length === 4 ? [0x0800, 23, 1, 30, 34, 8] : [0x86dd, 20, 58, 38, 54, 128];
  const isEcho = frame.readUInt16BE(12) === type && frame[protocolAt] === protocol && frame[icmpAt] === echo;
  return isEcho && frame.subarray(targetAt, targetAt + target.length).equals(target);
}

/** The kinds of the frames that have this source MAC, sorted. */
export function kindsFrom(frames: readonly Buffer[], mac: string): string[] {
  return frames
    .filter((frame) => frame.subarray(6, 12).equals(macBytes(mac)))
    .map(kindOf)
    .sort();
}

/** The kernel solicits routers and reports groups for so long after a link comes up. */
export const ARRIVAL_MS = 16_000;

/** `tags` are VLAN ids, the outer first. */
export function ethernet(
  from: string,
  to: string,
  type: number,
  body: Uint8Array,
  tags: readonly number[] = [],
): Buffer {
  const tagged = tags.flatMap((id) => [u16(0x8100), u16(id)]);
  return Buffer.concat([macBytes(to), macBytes(from), ...tagged, u16(type), body]);
}

/** A frame that means nothing, told from others by its text. */
export function marker(from: string, text: string): Buffer {
  return ethernet(from, BROADCAST, EXPERIMENT, Buffer.from(text.padEnd(46)));
}

export interface Arp {
  readonly mac: string;
  /** The address that the sender claims. */
  readonly claims: string;
  readonly asks?: string;
  readonly answer?: boolean;
  /** ARPHRD_*. */
  readonly hardware?: number;
  readonly senderMac?: string;
  readonly tags?: readonly number[];
}

export function arp({ mac, claims, asks = claims, answer = false, hardware = 1, senderMac = mac, tags }: Arp): Buffer {
  const body = [
    ...[u16(hardware), u16(0x0800), Buffer.from([6, 4]), u16(answer ? 2 : 1)],
    ...[macBytes(senderMac), ipBytes(claims), Buffer.alloc(6), ipBytes(asks), Buffer.alloc(18)],
  ];
  return ethernet(mac, BROADCAST, 0x0806, Buffer.concat(body), tags);
}

/** One's complement sum (RFC 1071). */
function checksum(...parts: readonly Uint8Array[]): Buffer {
  const all = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < all.length; i += 2) sum += (all[i] ?? 0) * 256 + (all[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return u16(~sum & 0xffff);
}

/** An IP packet in a frame; without `toMac`, to all nodes. `extension` puts a hop-by-hop header before the payload. */
export function packet(
  mac: string,
  [from, to]: readonly [string, string],
  protocol: number,
  payload: Uint8Array,
  { toMac, extension = false }: { readonly toMac?: string; readonly extension?: boolean } = {},
): Buffer {
  const [source, target] = [ipBytes(from), ipBytes(to)];
  if (source.length === 4) {
    const head = (sum: Uint8Array): Buffer =>
      Buffer.concat([
        ...[Buffer.from([0x45, 0]), u16(20 + payload.length), Buffer.from([0, 0, 0, 0, 64, protocol])],
        ...[sum, source, target],
      ]);
    const whole = Buffer.concat([head(checksum(head(u16(0)))), payload]);
    return ethernet(mac, toMac ?? BROADCAST, 0x0800, whole);
  }
  const options = extension ? Buffer.from([protocol, 0, 1, 4, 0, 0, 0, 0]) : Buffer.alloc(0);
  const fixed = [Buffer.from([0x60, 0, 0, 0]), u16(options.length + payload.length)];
  const next = Buffer.from([extension ? 0 : protocol, 255]);
  return ethernet(mac, toMac ?? ALL_NODES, 0x86dd, Buffer.concat([...fixed, next, source, target, options, payload]));
}

export function udp([from, to]: readonly [string, string], ports: readonly [number, number], text = 'x'): Buffer {
  const body = Buffer.from(text);
  const head = [u16(ports[0]), u16(ports[1]), u16(8 + body.length)];
  const pseudo = [ipBytes(from), ipBytes(to), u16(17), u16(8 + body.length)];
  return Buffer.concat([...head, checksum(...pseudo, ...head, u16(0), padded(body)), body]);
}

function padded(body: Uint8Array): Uint8Array {
  return body.length % 2 === 0 ? body : Buffer.concat([body, Buffer.alloc(1)]);
}

/** ICMPv6 with its checksum. */
export function icmp6([from, to]: readonly [string, string], type: number, rest: Uint8Array): Buffer {
  const head = Buffer.from([type, 0]);
  const pseudo = [ipBytes(from), ipBytes(to), Buffer.alloc(2), u16(4 + rest.length), Buffer.from([0, 0, 0, 58])];
  return Buffer.concat([head, checksum(...pseudo, head, u16(0), rest), rest]);
}

/** Neighbour advertisement (136) or solicitation (135) of `target`, with the sender's MAC. */
export function neighbour(type: 135 | 136, target: string, mac: string): Buffer {
  const flags = type === 136 ? Buffer.from([0x20, 0, 0, 0]) : Buffer.alloc(4);
  return Buffer.concat([flags, ipBytes(target), Buffer.from([type === 136 ? 2 : 1, 1]), macBytes(mac)]);
}

/** A router's advertisement: default route for half an hour, and a prefix for addresses. */
export function advertisement(prefix: string): Buffer {
  const head = Buffer.from([64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]);
  const info = Buffer.from([3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
  return Buffer.concat([head, info, ipBytes(prefix)]);
}
