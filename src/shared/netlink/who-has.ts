import { closeSync } from 'node:fs';
import { type Addr, addrToBytes } from '../model/addr.ts';
import { ETH_P_ARP, ETH_P_IP, openFrameSocket } from './packet.ts';
import { checksum } from './probe-sockets.ts';
import { recv, send } from './sys.ts';

/** linux/if_ether.h, linux/if_arp.h, RFC 4861 §4.3 and §4.4. */
const [ETH_P_IPV6, ARPHRD_ETHER, ARPOP_REQUEST, ARPOP_REPLY] = [0x86dd, 1, 1, 2];
const [IPPROTO_ICMPV6, SOLICITATION, ADVERTISEMENT] = [58, 135, 136];
const [SOURCE_LINK_ADDRESS, TARGET_LINK_ADDRESS] = [1, 2];
const HOP_LIMIT = 255;

/** The link that asks: on a bridge, the question leaves by every port. */
export interface Asker {
  readonly ifindex: number;
  readonly mac: string;
  /** An address of the link, to ask for IPv6 addresses: its link-local one. */
  readonly source6?: Addr;
}

/** A question to a link who has addresses. */
export interface Question extends Disposable {
  ask(address: Addr): void;
  /** MACs by address, of all answers so far. */
  answers(): ReadonlyMap<string, ReadonlySet<string>>;
}

/** Opens sockets on the link in the thread's namespace. Throws NetError `kernel`. */
export function openQuestion(asker: Asker): Question {
  const arp = openFrameSocket(asker.ifindex, ETH_P_ARP);
  let nd: number;
  try {
    nd = openFrameSocket(asker.ifindex, ETH_P_IPV6);
  } catch (error) {
    closeSync(arp);
    throw error;
  }
  const own = macBytes(asker.mac);
  const found = new Map<string, Set<string>>();
  const take = (answer: Answer | undefined): void => {
    if (answer === undefined) return;
    const key = keyOf(answer.address);
    found.set(key, (found.get(key) ?? new Set()).add(answer.mac));
  };
  return {
    ask: (address) => {
      if (address.family === 4) send(arp, arpProbe(own, address), 0);
      else if (asker.source6 !== undefined) send(nd, solicitation(own, asker.source6, address), 0);
    },
    answers: () => {
      drain(arp, (frame) => take(arpAnswer(frame)));
      drain(nd, (frame) => take(advertisement(frame)));
      return found;
    },
    [Symbol.dispose]: () => {
      closeSync(arp);
      closeSync(nd);
    },
  };
}

/** Key of an address in the answers. */
export function keyOf(address: Addr): string {
  return `${address.family} ${address.value}`;
}

interface Answer {
  readonly address: Addr;
  readonly mac: string;
}

const buffer = new Uint8Array(2048);

function drain(fd: number, take: (frame: Uint8Array) => void): void {
  for (let length = recv(fd, buffer, 0); length !== undefined; length = recv(fd, buffer, 0))
    take(buffer.subarray(0, length));
}

/** RFC 5227 §2.1.1: without a sender's address, so that nobody's cache changes. */
function arpProbe(own: Uint8Array, address: Addr): Uint8Array {
  const frame = new Uint8Array(42);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(own, 6);
  view.setUint16(12, ETH_P_ARP);
  view.setUint16(14, ARPHRD_ETHER);
  view.setUint16(16, ETH_P_IP);
  frame[18] = 6;
  frame[19] = 4;
  view.setUint16(20, ARPOP_REQUEST);
  frame.set(own, 22);
  frame.set(addrToBytes(address), 38);
  return frame;
}

function arpAnswer(frame: Uint8Array): Answer | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < 42 || view.getUint16(12) !== ETH_P_ARP || view.getUint16(20) !== ARPOP_REPLY) return undefined;
  return { address: { family: 4, value: BigInt(view.getUint32(28)) }, mac: macText(frame.subarray(22, 28)) };
}

/** Not that of duplicate detection, from `::`: a container whose address is still tentative would give it up. */
function solicitation(own: Uint8Array, source: Addr, address: Addr): Uint8Array {
  const target = addrToBytes(address);
  const group = Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...target.subarray(13)]);
  const message = new Uint8Array(32);
  message[0] = SOLICITATION;
  message.set(target, 8);
  message[24] = SOURCE_LINK_ADDRESS;
  message[25] = 1;
  message.set(own, 26);
  const from = addrToBytes(source);
  const pseudo = Uint8Array.from([...from, ...group, 0, 0, 0, message.length, 0, 0, 0, IPPROTO_ICMPV6]);
  new DataView(message.buffer).setUint16(2, checksum(pseudo, message));
  const head = new Uint8Array(14 + 40);
  const view = new DataView(head.buffer);
  head.set([0x33, 0x33, ...group.subarray(12)], 0);
  head.set(own, 6);
  view.setUint16(12, ETH_P_IPV6);
  head[14] = 0x60;
  view.setUint16(18, message.length);
  head[20] = IPPROTO_ICMPV6;
  head[21] = HOP_LIMIT;
  head.set(from, 22);
  head.set(group, 38);
  return Buffer.concat([head, message]);
}

function advertisement(frame: Uint8Array): Answer | undefined {
  if (frame.length < 14 + 40 + 24 || frame[20] !== IPPROTO_ICMPV6 || frame[54] !== ADVERTISEMENT) return undefined;
  let value = 0n;
  for (const byte of frame.subarray(62, 78)) value = (value << 8n) | BigInt(byte);
  const isTold = frame.length >= 86 && frame[78] === TARGET_LINK_ADDRESS && frame[79] === 1;
  return { address: { family: 6, value }, mac: macText(isTold ? frame.subarray(80, 86) : frame.subarray(6, 12)) };
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}

function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
