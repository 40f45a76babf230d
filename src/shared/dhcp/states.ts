import type { Addr } from '../model/addr.ts';
import type { Lease } from './lease.ts';
import type { Message } from './message.ts';
import type { Identity } from './requests.ts';

/** States of RFC 2131 figure 5. `waiting` precedes the next DISCOVER, `probing` the use of a leased address. */
export type Phase = 'waiting' | 'selecting' | 'requesting' | 'probing' | 'bound' | 'renewing' | 'rebinding';

/** A lease, the ACK that gave it, and when it was requested, in milliseconds of the client's clock. */
export interface Held {
  readonly ack: Message;
  readonly lease: Lease;
  readonly since: number;
}

export interface Client {
  readonly phase: Phase;
  readonly xid: number;
  /** When the exchange began. */
  readonly began: number;
  /** Messages or probes that this phase has sent. */
  readonly sent: number;
  /** When to pass a `timer` event. */
  readonly wakeAt: number;
  /** NAKs and conflicts since the last lease. */
  readonly refusals: number;
  /** When the last REQUEST was sent. */
  readonly askedAt: number;
  /** The server's offer, or in `probing` what it acknowledged. */
  readonly offer?: Held;
  /** What the interface has. */
  readonly held?: Held;
  /** An address that the client had and asks for again. */
  readonly wanted?: Addr;
}

export type Event =
  | { readonly on: 'timer' }
  | { readonly on: 'message'; readonly message: Message }
  /** Another interface has the address that is being probed. */
  | { readonly on: 'conflict'; readonly mac: string };

export type Action =
  /** `from` absent: 0.0.0.0. */
  | { readonly do: 'broadcast'; readonly message: Message; readonly from?: Addr }
  | { readonly do: 'unicast'; readonly message: Message; readonly from: Addr; readonly to: Addr }
  | { readonly do: 'probe'; readonly address: Addr }
  /** The interface may have the address from now on. */
  | { readonly do: 'bound'; readonly held: Held }
  | { readonly do: 'renewed'; readonly held: Held }
  /** The interface must not have the address any more. */
  | { readonly do: 'lost'; readonly held: Held; readonly why: 'expired' | 'refused' }
  | { readonly do: 'declined'; readonly address: Addr; readonly mac: string }
  /** A message that no interface could be configured by. */
  | { readonly do: 'ignored'; readonly why: string };

export interface Step {
  readonly client: Client;
  readonly actions: readonly Action[];
}

export interface Surroundings {
  readonly identity: Identity;
  /** Milliseconds of a clock that also counts while the machine sleeps. */
  readonly now: number;
  /** At least 0, less than 1. */
  readonly random: () => number;
}
