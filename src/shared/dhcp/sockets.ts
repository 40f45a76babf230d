import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Addr } from '../model/addr.ts';
import type { Step } from '../netlink/bpf.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../netlink/constants.ts';
import { type PolledSocket, pollSocket } from '../netlink/event-loop.ts';
import { ETH_P_ARP, ETH_P_IP, openFrameSocket, openUdpSocket } from '../netlink/packet.ts';
import { send, unsentBytes } from '../netlink/sys.ts';
import { CLIENT_PORT, encodeBroadcast, encodeProbe, payloadOf, rivalIn, SERVER_PORT } from './frame.ts';
import { decodeMessage, encodeMessage, isReplyTo, type Message } from './message.ts';

/** An interface in a namespace. */
export interface Interface {
  readonly ns: LinuxNamespace;
  readonly index: number;
  readonly mac: string;
}

/** Of a frame: UDP to the client's port, and no later fragment. Offsets: linux/if_ether.h, RFC 791. */
const TO_CLIENT: readonly Step[] = [
  { load: 'byte', at: 23 },
  { equals: 17, yes: 'udp', no: 'drop' },
  { label: 'udp' },
  { load: 'half', at: 20 },
  { anyBit: 0x1fff, yes: 'drop' },
  { ipHeader: 14 },
  { indexed: 16 },
  { equals: CLIENT_PORT, yes: 'keep' },
  { label: 'drop' },
  { keep: false },
  { label: 'keep' },
  { keep: true },
];

const WITHOUT_WAIT = MSG_DONTWAIT | MSG_NOSIGNAL;
/** Milliseconds between two looks at what has not left yet. */
const LOOK_MS = 5;

/** Broadcasts a client's messages, and receives all replies to clients. */
export interface Broadcasting extends Disposable {
  /** Throws NetError `kernel`: ENETDOWN if the link is down. */
  send(message: Message, from: Addr): void;
}

/**
 * Works on a link without addresses. `garbled` learns why a reply to this interface cannot be read. Throws NetError
 * `kernel`.
 */
export function openBroadcasting(
  { ns, index, mac }: Interface,
  received: (message: Message) => void,
  garbled: (why: string) => void = () => {},
): Broadcasting {
  const take = (frame: Buffer): void => {
    const payload = payloadOf(frame);
    if (payload === undefined) return;
    let message: Message;
    try {
      message = decodeMessage(payload);
    } catch (thrown) {
      if (!(thrown instanceof NetError)) throw thrown;
      if (isReplyTo(mac, payload)) garbled(thrown.what);
      return;
    }
    received(message);
  };
  const polled = ns.within(() => polledOn(openFrameSocket(index, ETH_P_IP, TO_CLIENT), take));
  return {
    send: (message, from) => void send(polled.fd, encodeBroadcast(mac, from, encodeMessage(message)), WITHOUT_WAIT),
    [Symbol.dispose]: () => polled[Symbol.dispose](),
  };
}

/** Asks whether an address is taken, and hears who says so. */
export interface Probing extends Disposable {
  send(): void;
}

/** Throws NetError `kernel`. */
export function openProbing({ ns, index, mac }: Interface, address: Addr, taken: (by: string) => void): Probing {
  const take = (frame: Buffer): void => {
    const rival = rivalIn(frame, mac, address);
    if (rival !== undefined) taken(rival);
  };
  const polled = ns.within(() => polledOn(openFrameSocket(index, ETH_P_ARP), take));
  return {
    send: () => void send(polled.fd, encodeProbe(mac, address), WITHOUT_WAIT),
    [Symbol.dispose]: () => polled[Symbol.dispose](),
  };
}

/** Sends messages from the leased address to its server. A frame socket hears the replies. */
export interface Unicasting extends Disposable {
  send(message: Message): void;
  /** Resolves when the kernel has sent everything, or after `limitMs`. */
  sent(limitMs: number): Promise<void>;
}

/** The link has the address `from`. Throws NetError `kernel`. */
export function openUnicasting({ ns, index }: Pick<Interface, 'ns' | 'index'>, from: Addr, to: Addr): Unicasting {
  const ends = [
    { addr: from, port: CLIENT_PORT },
    { addr: to, port: SERVER_PORT },
  ] as const;
  const polled = ns.within(() => polledOn(openUdpSocket(index, ...ends), () => {}));
  return {
    send: (message) => void send(polled.fd, encodeMessage(message), WITHOUT_WAIT),
    // What waits for the server's MAC is lost with the link.
    sent: async (limitMs) => {
      const until = performance.now() + limitMs;
      while (unsentBytes(polled.fd) > 0 && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    },
    [Symbol.dispose]: () => polled[Symbol.dispose](),
  };
}

/** Treats an error of the socket (link down, port of the server closed) as a lost message. */
function polledOn(fd: number, received: (bytes: Buffer) => void): PolledSocket {
  return pollSocket(fd, received, () => {});
}
