import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, addrFromBytes, addrToBytes } from '../model/addr.ts';

/** A DHCP message (RFC 2131 §2) of a client or a server on Ethernet. */
export interface Message {
  readonly op: 'request' | 'reply';
  readonly xid: number;
  /** Seconds since the client began. */
  readonly secs: number;
  /** The client cannot receive unicast: replies go to the broadcast address. */
  readonly broadcast: boolean;
  /** The client's address, once it may use it. */
  readonly ciaddr: Addr;
  /** The address that the server gives. */
  readonly yiaddr: Addr;
  readonly siaddr: Addr;
  readonly giaddr: Addr;
  /** The client's MAC. */
  readonly chaddr: string;
  /** By code; a value that was split (RFC 3396) is whole. */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Values of option 53 (RFC 2132 §9.6). */
export const TYPE = { discover: 1, offer: 2, request: 3, decline: 4, ack: 5, nak: 6, release: 7 } as const;

/** Codes of options (RFC 2132; 119: RFC 3397, 121: RFC 3442). */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  routers: 3,
  nameServers: 6,
  hostName: 12,
  domainName: 15,
  mtu: 26,
  staticRoutes: 33,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameters: 55,
  message: 56,
  maxSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  userClass: 77,
  domainSearch: 119,
  classlessRoutes: 121,
  end: 255,
} as const;

const HEADER_BYTES = 236;
const COOKIE = 0x63825363;
/** RFC 951: relays and old servers drop what is shorter. */
const LEAST_BYTES = 300;
const LONGEST_PART = 255;
const ETHERNET = 1;
const MAC_BYTES = 6;
const BROADCAST = 0x8000;
const [SNAME, FILE, OPTIONS] = [44, 108, 240];

/** Option 53 of the message; undefined if it is missing. */
export function typeOf({ options }: Message): number | undefined {
  return options.get(OPTION.messageType)?.[0];
}

/** Encodes the message, with its options in their order. Splits values over 255 bytes (RFC 3396). */
export function encodeMessage(message: Message): Uint8Array {
  const parts = [...message.options].flatMap(([code, value]) => encodeOption(code, value));
  const length = parts.reduce((sum, part) => sum + part.length, OPTIONS + 1);
  const bytes = new Uint8Array(Math.max(length, LEAST_BYTES));
  const view = new DataView(bytes.buffer);
  bytes.set([message.op === 'request' ? 1 : 2, ETHERNET, MAC_BYTES, 0]);
  view.setUint32(4, message.xid);
  view.setUint16(8, Math.min(message.secs, 0xffff));
  view.setUint16(10, message.broadcast ? BROADCAST : 0);
  [message.ciaddr, message.yiaddr, message.siaddr, message.giaddr].forEach((addr, i) => {
    bytes.set(addrToBytes(addr), 12 + i * 4);
  });
  bytes.set(macToBytes(message.chaddr), 28);
  view.setUint32(HEADER_BYTES, COOKIE);
  let at = OPTIONS;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes[at] = OPTION.end;
  return bytes;
}

function encodeOption(code: number, value: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0; from === 0 || from < value.length; from += LONGEST_PART) {
    const part = value.subarray(from, from + LONGEST_PART);
    parts.push(Uint8Array.of(code, part.length, ...part));
  }
  return parts;
}

/** Decodes a message. Throws NetError `io` for anything else. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length < OPTIONS) throw malformed(`has ${bytes.length} bytes, ${OPTIONS} are the least`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [op, hardware, length] = bytes;
  if (op !== 1 && op !== 2) throw malformed(`is of operation ${op}`);
  if (hardware !== ETHERNET || length !== MAC_BYTES) throw malformed('is not of an Ethernet client');
  if (view.getUint32(HEADER_BYTES) !== COOKIE) throw malformed('lacks the magic cookie');
  const addr = (at: number): Addr => addrFromBytes(bytes.subarray(at, at + 4)) ?? ANY;
  return {
    op: op === 1 ? 'request' : 'reply',
    xid: view.getUint32(4),
    secs: view.getUint16(8),
    broadcast: (view.getUint16(10) & BROADCAST) !== 0,
    ...{ ciaddr: addr(12), yiaddr: addr(16), siaddr: addr(20), giaddr: addr(24) },
    chaddr: macFromBytes(bytes.subarray(28, 34)),
    options: decodeOptions(bytes),
  };
}

/** True if the message, which may be malformed after its header, is a reply to the client with the MAC. */
export function isReplyTo(mac: string, bytes: Uint8Array): boolean {
  return bytes[0] === 2 && macFromBytes(bytes.subarray(28, 34)) === mac;
}

/** 0.0.0.0 */
export const ANY: Addr = { family: 4, value: 0n };

/** The fields `file` and `sname` have options too if option 52 says so, in this order (RFC 3396 §5). */
function decodeOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const parts = new Map<number, Uint8Array[]>();
  readOptions(bytes.subarray(OPTIONS), parts);
  const overload = parts.get(OPTION.overload)?.[0]?.[0] ?? 0;
  if ((overload & 1) !== 0) readOptions(bytes.subarray(FILE, HEADER_BYTES), parts);
  if ((overload & 2) !== 0) readOptions(bytes.subarray(SNAME, FILE), parts);
  return new Map([...parts].map(([code, values]) => [code, joined(values)]));
}

function readOptions(bytes: Uint8Array, parts: Map<number, Uint8Array[]>): void {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at++] ?? OPTION.end;
    if (code === OPTION.end) return;
    if (code === OPTION.pad) continue;
    const length = bytes[at++];
    if (length === undefined || at + length > bytes.length) throw malformed(`ends within option ${code}`);
    const value = bytes.slice(at, at + length);
    const same = parts.get(code);
    if (same === undefined) parts.set(code, [value]);
    else same.push(value);
    at += length;
  }
}

function joined(values: readonly Uint8Array[]): Uint8Array {
  const [only] = values;
  if (only !== undefined && values.length === 1) return only;
  return Uint8Array.from(values.flatMap((value) => [...value]));
}

export function macToBytes(mac: string): Uint8Array {
  const bytes = Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
  if (bytes.length !== MAC_BYTES) throw new TypeError(`${mac} is no Ethernet address`);
  return bytes;
}

export function macFromBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** NetError `io` for what a server sent. */
export function malformed(what: string): NetError {
  return fault.io('decode', 'DHCP message', what);
}
