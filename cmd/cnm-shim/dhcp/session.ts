import { step } from '../../../src/shared/dhcp/client.ts';
import { clock } from '../../../src/shared/dhcp/kept.ts';
import { ANY, type Message } from '../../../src/shared/dhcp/message.ts';
import type { Identity } from '../../../src/shared/dhcp/requests.ts';
import {
  type Broadcasting,
  type Interface,
  openBroadcasting,
  openProbing,
  openUnicasting,
  type Probing,
  type Unicasting,
} from '../../../src/shared/dhcp/sockets.ts';
import type { Action, Client, Event, Surroundings } from '../../../src/shared/dhcp/states.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Addr } from '../../../src/shared/model/addr.ts';

type Sending = Extract<Action, { do: 'broadcast' | 'unicast' | 'probe' }>;

/** What happened to a lease, besides messages. `gone`: the interface is, or its namespace. */
export type News = Exclude<Action, Sending> | { readonly do: 'gone' };

export interface SessionParts {
  readonly identity: Identity;
  /** Opens the interface for a moment; undefined once it is gone, or its namespace. */
  readonly open: () => (Interface & Disposable) | undefined;
  readonly news: (news: News) => void;
  /** A message could not be sent: it counts as lost. */
  readonly unsent: (error: NetError) => void;
}

/** Reasons that are told of, of replies that no interface can be configured by. */
const MOST_IGNORED = 8;
/** setTimeout takes 24 days; a look now and then costs nothing. */
const LONGEST_MS = 3_600_000;

/**
 * Runs the client of one lease with sockets and a timer. Has a socket open only while it awaits an answer: a socket keeps
 * a namespace alive whose container is gone.
 */
export class Session implements Disposable {
  readonly #parts: SessionParts;
  #client: Client;
  #timer: NodeJS.Timeout | undefined;
  #broadcasting: Broadcasting | undefined;
  #probing: Probing | undefined;
  #unicasting: Unicasting | undefined;
  #ended = false;
  readonly #ignored = new Set<string>();

  constructor(parts: SessionParts, client: Client) {
    this.#parts = parts;
    this.#client = client;
  }

  get client(): Client {
    return this.#client;
  }

  /** Does what is due, and goes on by itself. */
  run(): void {
    this.#feed({ on: 'timer' });
  }

  surroundings(): Surroundings {
    return { identity: this.#parts.identity, now: clock(), random: Math.random };
  }

  /** Sends nothing more, and holds nothing open. */
  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#close();
  }

  #feed(event: Event): void {
    if (this.#ended) return;
    const { client, actions } = step(this.#client, event, this.surroundings());
    this.#client = client;
    for (const action of actions) if (!this.#ended) this.#act(action);
    if (this.#ended) return;
    clearTimeout(this.#timer);
    const wait = Math.max(this.#client.wakeAt - clock(), 0);
    this.#timer = setTimeout(() => this.#feed({ on: 'timer' }), Math.min(wait, LONGEST_MS)).unref();
  }

  #act(action: Action): void {
    switch (action.do) {
      case 'broadcast':
        this.#attempt((at) => this.#broadcast(at, action.message, action.from ?? ANY));
        break;
      case 'unicast':
        this.#attempt((at) => this.#unicast(at, action));
        break;
      case 'probe':
        this.#attempt((at) => this.#probe(at, action.address));
        break;
      case 'ignored':
        this.#ignore(action.why);
        break;
      default:
        this.#close();
        this.#parts.news(action);
    }
  }

  #attempt(work: (at: Interface) => void): void {
    try {
      using at = this.#parts.open();
      if (at !== undefined) {
        work(at);
        return;
      }
    } catch (thrown) {
      if (!(thrown instanceof NetError)) throw thrown;
      this.#parts.unsent(thrown);
      return;
    }
    this[Symbol.dispose]();
    this.#parts.news({ do: 'gone' });
  }

  #broadcast(at: Interface, message: Message, from: Addr): void {
    this.#broadcasting ??= openBroadcasting(at, this.#receive, this.#ignore);
    this.#broadcasting.send(message, from);
  }

  #unicast(at: Interface, { message, from, to }: Extract<Action, { do: 'unicast' }>): void {
    // A server broadcasts its NAK, also to a client that has an address (RFC 2131 §4.1).
    this.#broadcasting ??= openBroadcasting(at, this.#receive, this.#ignore);
    this.#unicasting ??= openUnicasting(at, from, to);
    this.#unicasting.send(message);
  }

  #probe(at: Interface, address: Addr): void {
    this.#probing ??= openProbing(at, address, (mac) => this.#feed({ on: 'conflict', mac }));
    this.#probing.send();
  }

  readonly #receive = (message: Message): void => this.#feed({ on: 'message', message });

  /** Tells of each kind of reply once while it awaits an answer: anybody on the link can send many. */
  readonly #ignore = (why: string): void => {
    if (this.#ignored.size >= MOST_IGNORED || this.#ignored.has(why)) return;
    this.#ignored.add(why);
    this.#parts.news({ do: 'ignored', why });
  };

  #close(): void {
    this.#broadcasting?.[Symbol.dispose]();
    this.#probing?.[Symbol.dispose]();
    this.#unicasting?.[Symbol.dispose]();
    this.#broadcasting = undefined;
    this.#probing = undefined;
    this.#unicasting = undefined;
    this.#ignored.clear();
  }
}
