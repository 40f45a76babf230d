import type { PortPlace, PortSockets, Unheld } from '../../host/port-sockets.ts';
import { given } from '../../model/given.ts';
import type { HostPorts } from './holds.ts';

/** Listens at the place and relays to a container's port. Calls `failed` once if listening fails or ends. */
export type OpenRelay = (place: PortPlace, target: NonNullable<HostPorts['relay']>, failed: () => void) => Disposable;

/** The sockets of one span of ports, as descriptors: a container may have thousands. */
export class HeldSpan {
  readonly ports: HostPorts;
  readonly owners = new Set<string>();
  readonly #sockets: PortSockets;
  readonly #openRelay: OpenRelay;
  /** Descriptors, or NONE. Empty for relays. */
  readonly #held: Int32Array;
  readonly #relays: (Disposable | undefined)[] = [];
  /** Index of the next port to open or to close. */
  #next = 0;
  /** Why some of its ports are not held. */
  why: Unheld | undefined;

  constructor(ports: HostPorts, sockets: PortSockets, openRelay: OpenRelay) {
    this.ports = ports;
    this.#sockets = sockets;
    this.#openRelay = openRelay;
    this.#held = new Int32Array(ports.relay === undefined ? this.#size : 0).fill(NONE);
  }

  get #size(): number {
    return this.ports.count ?? 1;
  }

  /** Makes the next `open` or `close` begin with the first port. */
  restart(): void {
    this.#next = 0;
  }

  /** Opens up to `lot` missing sockets. Returns how many it opened, and whether it has tried the last port. */
  open(lot: number, failed: () => void): { readonly opened: number; readonly done: boolean } {
    let opened = 0;
    if (this.#next === 0) this.why = undefined;
    for (const end = Math.min(this.#size, this.#next + lot); this.#next < end; this.#next++) {
      if (this.#openAt(this.#next, failed)) opened++;
    }
    return { opened, done: this.#next === this.#size };
  }

  /** Closes up to `lot` sockets. Returns how many it closed, and whether it has reached the last port. */
  close(lot: number): { readonly closed: number; readonly done: boolean } {
    let closed = 0;
    for (const end = Math.min(this.#size, this.#next + lot); this.#next < end; this.#next++) {
      const descriptor = this.#held[this.#next] ?? NONE;
      const relay = this.#relays[this.#next];
      if (descriptor === NONE && relay === undefined) continue;
      closed++;
      relay?.[Symbol.dispose]();
      if (descriptor !== NONE) this.#sockets.close(descriptor);
    }
    return { closed, done: this.#next === this.#size };
  }

  #openAt(index: number, failed: () => void): boolean {
    if (this.#relays[index] !== undefined || (this.#held[index] ?? NONE) !== NONE) return false;
    const { protocol, hostPort, hostIp: address, family, relay } = this.ports;
    const place: PortPlace = { protocol, port: hostPort + index, ...given({ address, family }) };
    if (relay !== undefined) {
      this.#relays[index] = this.#openRelay(place, { ...relay, port: relay.port + index }, () => {
        this.#relays[index] = undefined;
        this.why = 'taken';
        failed();
      });
      return true;
    }
    const descriptor = this.#sockets.bind(place);
    if (typeof descriptor !== 'number') {
      this.why = descriptor;
      return false;
    }
    this.#held[index] = descriptor;
    return true;
  }
}

const NONE = -1;
