import type { PortSockets } from '../../host/port-sockets.ts';
import type { Logger } from '../../log/log.ts';
import { type Attachment, attachmentText } from '../../model/attachment.ts';
import type { LocalStore } from '../../store/store.ts';
import { HeldSpan, type OpenRelay } from './held-span.ts';
import { type HostPorts, holdsOfAll, holdsOfOwner, hostPortsOf, keyOf, type PortHolder } from './holds.ts';
import { LeftPorts } from './left-ports.ts';
import { Notices } from './notices.ts';

export interface HeldPortsOptions {
  readonly sockets: PortSockets;
  readonly relay: OpenRelay;
  readonly log: Logger;
  /** Lets other work of the thread go on. */
  readonly rest: () => Promise<unknown>;
  /** How many sockets may be open at a time. */
  readonly limit: number;
  readonly clock?: Clock;
}

export interface Clock {
  now(): number;
  /** Calls `work` once after `ms`; the returned function cancels it. */
  after(ms: number, work: () => void): () => void;
}

/** Milliseconds of work before other calls may run. */
const SLICE_MS = 5;
/** Sockets between two looks at the clock. */
const LOT = 64;
/** Milliseconds until the first retry; the interval doubles. */
const FIRST_MS = 250;
const LAST_MS = 300_000;
/**
 * Holds the published host ports, as the claims on record say. Its sockets belong to this process, so the kernel frees
 * the ports when it dies.
 */
export class HeldPorts implements PortHolder, Disposable {
  readonly #options: HeldPortsOptions;
  readonly #clock: Clock;
  readonly #spans = new Map<string, HeldSpan>();
  /** The keys of each owner's spans. */
  readonly #owners = new Map<string, ReadonlySet<string>>();
  /** Owners whose call has not claimed its ports yet. */
  readonly #reserving = new Set<string>();
  readonly #left: LeftPorts;
  readonly #closing = new Set<HeldSpan>();
  readonly #opening = new Set<HeldSpan>();
  readonly #missing = new Set<HeldSpan>();
  readonly #notices: Notices;
  /** True once it has read all records. */
  #isCurrent = false;
  #open = 0;
  #isRunning = false;
  #work: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #retryMs = FIRST_MS;

  constructor(options: HeldPortsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#left = new LeftPorts(() => this.#clock.now());
    this.#notices = new Notices(options.log);
  }

  async reserve<T extends HostPorts>(owner: Attachment, ports: readonly T[]): Promise<readonly T[]> {
    const key = attachmentText(owner);
    if (this.#left.has(key)) return ports;
    const holds = ports.map(hostPortsOf);
    this.#reserving.add(key);
    const before = [...(this.#owners.get(key) ?? [])].flatMap((one) => this.#spans.get(one)?.ports ?? []);
    this.#want(key, [...before, ...holds]);
    await this.#run();
    const untested = new Set(holds.filter((one) => this.#spans.get(keyOf(one))?.why !== undefined));
    const relaying = untested.size === 0 ? [] : [...this.#spans.values()].filter(({ ports: { relay } }) => relay);
    return ports.filter((one, i) => {
      return untested.has(holds[i] as HostPorts) && !relaying.some((span) => isPartOf(one, span.ports));
    });
  }

  settle(store: LocalStore, owner: Attachment): void {
    const key = attachmentText(owner);
    this.#reserving.delete(key);
    this.#want(key, holdsOfOwner(store, owner));
    void this.#run();
  }

  /** For a call of a runtime that binds the ports itself afterwards: they are left to it for some seconds. */
  leaving(): PortHolder {
    return {
      reserve: async (owner, ports) => {
        this.#left.add(attachmentText(owner));
        return ports;
      },
      settle: (store, owner) => this.settle(store, owner),
    };
  }

  /**
   * Holds exactly what the records claim. After the first time, leaves the ports of owners that another process has
   * served to their runtime for some seconds.
   */
  async reconcile(store: LocalStore): Promise<void> {
    const all = holdsOfAll(store);
    for (const owner of this.#owners.keys()) if (!all.has(owner)) this.#resettle(owner, []);
    for (const [owner, holds] of all) {
      if (this.#isCurrent && !this.#owners.has(owner)) this.#left.add(owner);
      this.#resettle(owner, holds);
    }
    this.#isCurrent = true;
    this.#retry();
    await this.#run();
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    for (const owner of this.#owners.keys()) this.#want(owner, []);
    for (const span of this.#closing) span.close(Number.POSITIVE_INFINITY);
    this.#closing.clear();
  }

  #resettle(owner: string, holds: readonly HostPorts[]): void {
    if (!this.#reserving.has(owner)) this.#want(owner, holds);
  }

  #want(owner: string, holds: readonly HostPorts[]): void {
    const wanted = new Map(holds.map((ports) => [keyOf(ports), ports]));
    for (const key of this.#owners.get(owner) ?? []) if (!wanted.has(key)) this.#drop(owner, key);
    for (const [key, ports] of wanted) this.#add(owner, key, ports);
    if (wanted.size > 0) this.#owners.set(owner, new Set(wanted.keys()));
    else {
      this.#owners.delete(owner);
      if (!this.#reserving.has(owner)) this.#left.delete(owner);
    }
  }

  #add(owner: string, key: string, ports: HostPorts): void {
    const { sockets, relay } = this.#options;
    const found = this.#spans.get(key);
    const span = found ?? new HeldSpan(ports, sockets, relay);
    span.owners.add(owner);
    if (found !== undefined) return;
    this.#spans.set(key, span);
    (this.#left.has(owner) ? this.#missing : this.#opening).add(span);
  }

  #drop(owner: string, key: string): void {
    const span = this.#spans.get(key);
    if (span === undefined) return;
    span.owners.delete(owner);
    if (span.owners.size > 0) return;
    this.#spans.delete(key);
    this.#opening.delete(span);
    this.#missing.delete(span);
    span.restart();
    this.#closing.add(span);
  }

  #tell(): void {
    for (const span of this.#missing) {
      const isEarly = [...span.owners].some((owner) => this.#reserving.has(owner) || this.#left.has(owner));
      if (!isEarly) this.#notices.notHeld(span);
    }
  }

  /** Opens and closes sockets in slices. Runs the first slice before it returns. */
  #run(): Promise<void> {
    if (!this.#isRunning) this.#work = this.#slices();
    return this.#work;
  }

  async #slices(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      const until = this.#clock.now() + SLICE_MS;
      while (this.#lot()) if (this.#clock.now() >= until) break;
      if (this.#closing.size + this.#opening.size === 0) break;
      await this.#options.rest();
    }
    this.#isRunning = false;
    this.#tell();
    this.#schedule();
  }

  /** Closes first: an old and a new span may share ports. Returns false if nothing is left to do. */
  #lot(): boolean {
    const [closing] = this.#closing;
    if (closing !== undefined) {
      const { closed, done } = closing.close(LOT);
      this.#open -= closed;
      if (done) this.#closing.delete(closing);
      return true;
    }
    const [opening] = this.#opening;
    if (opening === undefined) return false;
    if (this.#open >= this.#options.limit) opening.why = 'limit';
    else this.#openLot(opening);
    if (opening.why === 'limit') this.#opening.delete(opening);
    if (opening.why !== undefined) this.#missing.add(opening);
    return true;
  }

  #openLot(span: HeldSpan): void {
    const { opened, done } = span.open(LOT, () => {
      this.#open -= 1;
      if (span.owners.size === 0) return;
      this.#missing.add(span);
      this.#tell();
      this.#schedule();
    });
    this.#open += opened;
    if (done) this.#opening.delete(span);
  }

  #retry(): void {
    for (const span of this.#missing) {
      if ([...span.owners].some((owner) => this.#left.has(owner))) continue;
      span.restart();
      this.#missing.delete(span);
      this.#opening.add(span);
    }
  }

  #schedule(): void {
    if (this.#missing.size === 0) {
      this.#cancel?.();
      this.#cancel = undefined;
      this.#retryMs = FIRST_MS;
    } else if (this.#cancel === undefined) {
      this.#cancel = this.#clock.after(Math.min(this.#retryMs, this.#left.next() + 1), () => {
        this.#cancel = undefined;
        this.#retryMs = Math.min(this.#retryMs * 2, LAST_MS);
        this.#retry();
        void this.#run();
      });
    }
  }
}

function isPartOf({ protocol, hostPort }: HostPorts, other: HostPorts): boolean {
  return protocol === other.protocol && hostPort >= other.hostPort && hostPort < other.hostPort + (other.count ?? 1);
}

const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};
