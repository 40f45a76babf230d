import { asNetError } from '../errors/net-error.ts';
import { type Addr, formatAddr, sameAddr } from '../model/addr.ts';
import { extendedAck, type Lease, leaseOf, serverOf } from './lease.ts';
import { type Message, TYPE, typeOf } from './message.ts';
import { clientMessage, type Said } from './requests.ts';
import type { Action, Client, Event, Held, Step, Surroundings } from './states.ts';

/** RFC 2131 §4.1: 4 s, doubled up to 64 s, each varied by up to 1 s. */
const [FIRST_MS, LAST_MS, JITTER_MS] = [4000, 64_000, 1000];
/** A bridge may drop the first frame of a port that has just come up, so a second DISCOVER follows the first. */
const SECOND_MS = 500;
/** REQUESTs to a server before the client asks all again. */
const REQUESTS = 3;
/** RFC 2131 §4.4.5: least time between two requests for more time. */
const RENEW_MS = 60_000;
/** Probes, and the time after each (RFC 5227 has one to two seconds, and an ADD waits). */
const [PROBES, PROBE_MS] = [2, 100];
/**
 * Time until the next DISCOVER after a NAK and after a conflict, doubled with each, and varied by half: servers that do
 * not reserve what they offer refuse clients that ask together, and these must not ask together again.
 */
const [REFUSED_MS, CONFLICT_MS, MOST_REFUSED_MS] = [200, 1000, 64_000];

/** A client that has nothing, and begins at `now`. */
export function startClient({ now, random }: Surroundings, wanted?: Addr): Client {
  const xid = Math.floor(random() * 2 ** 32);
  const none = { sent: 0, refusals: 0, askedAt: now };
  return { phase: 'waiting', xid, began: now, wakeAt: now, ...none, ...(wanted === undefined ? {} : { wanted }) };
}

/** A client whose interface has the address already. */
export function resumeClient(held: Held, surroundings: Surroundings): Client {
  return { ...startClient(surroundings), phase: 'bound', held, wakeAt: held.since + held.lease.renewAfter * 1000 };
}

/** When the lease ends. */
export function expiryOf({ lease, since }: Held): number {
  return since + lease.seconds * 1000;
}

/** The client after the event, and what its owner has to do. Pure. */
export function step(client: Client, event: Event, at: Surroundings): Step {
  switch (event.on) {
    case 'timer':
      return at.now < client.wakeAt ? { client, actions: [] } : timer(client, at);
    case 'message':
      return message(client, event.message, at);
    case 'conflict':
      return client.phase === 'probing' && client.offer !== undefined
        ? declined(client, client.offer, event.mac, at)
        : { client, actions: [] };
  }
}

/** RELEASE (RFC 2131 §4.4.6): no answer follows. */
export function releaseOf({ lease }: Held, { identity, random }: Surroundings): Extract<Action, { do: 'unicast' }> {
  const { address, server } = lease;
  const said = { xid: Math.floor(random() * 2 ** 32), secs: 0, ciaddr: address.addr, server };
  return { do: 'unicast', message: clientMessage('release', identity, said), from: address.addr, to: server };
}

function timer(client: Client, at: Surroundings): Step {
  const { phase, held, offer, sent } = client;
  if (held !== undefined) return overtime(client, held, at);
  if (phase === 'waiting') return discover({ ...again(client, at), phase: 'selecting' }, at);
  if (phase === 'selecting' || offer === undefined) return discover(client, at);
  if (phase === 'requesting') return sent < REQUESTS ? request(client, offer, at) : discover(restarted(client, at), at);
  return sent < PROBES ? probe(client, offer, at) : bound(client, offer);
}

/** A new exchange. */
function again(client: Client, { now, random }: Surroundings): Client {
  const { offer: _, ...rest } = client;
  return { ...rest, xid: Math.floor(random() * 2 ** 32), began: now, sent: 0 };
}

function restarted(client: Client, at: Surroundings): Client {
  return { ...again(client, at), phase: 'selecting' };
}

function discover(client: Client, at: Surroundings): Step {
  const { wanted } = client;
  const said = { ...saidBy(client, at), ...(wanted === undefined ? {} : { address: wanted }) };
  const message = clientMessage('discover', at.identity, said);
  const next = counted({ ...client, sent: Math.max(client.sent - 1, 0) }, at);
  const wakeAt = client.sent === 0 ? at.now + SECOND_MS : next.wakeAt;
  return { client: { ...next, sent: client.sent + 1, wakeAt }, actions: [{ do: 'broadcast', message }] };
}

function request(client: Client, offer: Held, at: Surroundings): Step {
  const { address, server } = offer.lease;
  const said = { ...saidBy(client, at), address: address.addr, server };
  const message = clientMessage('request', at.identity, said);
  return { client: { ...counted(client, at), askedAt: at.now }, actions: [{ do: 'broadcast', message }] };
}

function probe(client: Client, { lease }: Held, { now }: Surroundings): Step {
  const next = { ...client, sent: client.sent + 1, wakeAt: now + PROBE_MS };
  return { client: next, actions: [{ do: 'probe', address: lease.address.addr }] };
}

function bound(client: Client, held: Held): Step {
  const { offer: _, wanted: __, ...rest } = client;
  const next: Client = { ...rest, phase: 'bound', held, sent: 0, refusals: 0, wakeAt: renewalOf(held) };
  return { client: next, actions: [{ do: 'bound', held }] };
}

function renewalOf({ lease, since }: Held): number {
  return since + lease.renewAfter * 1000;
}

/** Counts a message, and waits longer for an answer the more have gone unanswered. */
function counted(client: Client, { now, random }: Surroundings): Client {
  const wait = Math.min(FIRST_MS * 2 ** client.sent, LAST_MS) + (random() * 2 - 1) * JITTER_MS;
  return { ...client, sent: client.sent + 1, wakeAt: now + wait };
}

function saidBy({ xid, began }: Client, { now }: Surroundings): Said {
  return { xid, secs: Math.floor((now - began) / 1000) };
}

/** T1, T2, expiry. */
function overtime(client: Client, held: Held, at: Surroundings): Step {
  const { now } = at;
  const [t2, end] = [held.since + held.lease.rebindAfter * 1000, expiryOf(held)];
  if (now >= end) return lost(client, held, 'expired', at);
  const phase = now >= t2 ? 'rebinding' : 'renewing';
  const current: Client = client.phase === phase ? client : { ...again(client, at), phase };
  const limit = phase === 'rebinding' ? end : t2;
  const wakeAt = Math.min(limit, now + Math.max((limit - now) / 2, RENEW_MS));
  const { server, address } = held.lease;
  const from = address.addr;
  const message = clientMessage('request', at.identity, { ...saidBy(current, at), ciaddr: from });
  const action: Action =
    phase === 'rebinding' ? { do: 'broadcast', message, from } : { do: 'unicast', message, from, to: server };
  return { client: { ...current, sent: current.sent + 1, askedAt: now, wakeAt }, actions: [action] };
}

function lost(client: Client, held: Held, why: 'expired' | 'refused', at: Surroundings): Step {
  const { held: _, ...rest } = client;
  const wanted = why === 'expired' ? { wanted: held.lease.address.addr } : {};
  const next = { ...again(rest, at), phase: 'waiting', wakeAt: at.now, ...wanted } as const;
  return { client: next, actions: [{ do: 'lost', held, why }] };
}

function message(client: Client, reply: Message, at: Surroundings): Step {
  const type = typeOf(reply);
  const isOurs = reply.op === 'reply' && reply.xid === client.xid && reply.chaddr === at.identity.mac;
  if (!isOurs) return { client, actions: [] };
  const { phase, held, offer } = client;
  const other = otherServer(client, reply);
  if (other !== undefined && (type === TYPE.nak || type === TYPE.ack)) {
    const why = `${type === TYPE.nak ? 'refuses' : 'acknowledges'} as ${formatAddr(other)}, which was not asked`;
    return { client, actions: [{ do: 'ignored', why }] };
  }
  const asks = phase === 'requesting' || phase === 'renewing' || phase === 'rebinding';
  if (type === TYPE.nak && asks)
    return held === undefined ? refused(client, REFUSED_MS, at) : lost(client, held, 'refused', at);
  if ((type === TYPE.offer && phase === 'selecting') || (type === TYPE.ack && asks)) {
    const ack = held === undefined ? reply : extendedAck(held.ack, reply);
    let lease: Lease;
    try {
      lease = leaseOf(ack, at.identity.priority);
    } catch (thrown) {
      return { client, actions: [{ do: 'ignored', why: asNetError(thrown, 'dhcp').what }] };
    }
    const got = { ack, lease, since: client.askedAt };
    if (type === TYPE.offer) return request({ ...client, phase: 'requesting', offer: got, sent: 0 }, got, at);
    return held === undefined ? acknowledged(client, got, offer, at) : extended(client, got, held);
  }
  return { client, actions: [] };
}

/**
 * The server that speaks, where the client has asked another one: servers that are told to refuse what they do not know
 * do so to each other's clients. While it rebinds, it asks all.
 */
function otherServer({ phase, held, offer }: Client, reply: Message): Addr | undefined {
  const asked = phase === 'requesting' ? offer : phase === 'renewing' ? held : undefined;
  const server = serverOf(reply);
  const isOther = asked !== undefined && server !== undefined && !sameAddr(server, asked.lease.server);
  return isOther ? server : undefined;
}

function acknowledged(client: Client, got: Held, offer: Held | undefined, at: Surroundings): Step {
  if (offer === undefined || !sameAddr(offer.lease.address.addr, got.lease.address.addr)) {
    const why = `acknowledges ${formatAddr(got.lease.address.addr)}, which was not asked for`;
    return { client, actions: [{ do: 'ignored', why }] };
  }
  return probe({ ...client, phase: 'probing', offer: got, sent: 0 }, got, at);
}

function extended(client: Client, got: Held, held: Held): Step {
  if (!sameAddr(got.lease.address.addr, held.lease.address.addr)) {
    const why = `extends the lease of ${formatAddr(got.lease.address.addr)}, which the interface does not have`;
    return { client, actions: [{ do: 'ignored', why }] };
  }
  const next = { ...client, phase: 'bound', held: got, sent: 0, wakeAt: renewalOf(got) } as const;
  return { client: next, actions: [{ do: 'renewed', held: got }] };
}

function refused(client: Client, firstMs: number, at: Surroundings): Step {
  const { wanted: _, ...rest } = client;
  const wait = Math.min(firstMs * 2 ** client.refusals, MOST_REFUSED_MS) * (0.5 + at.random());
  const next = { ...again(rest, at), phase: 'waiting', refusals: client.refusals + 1, wakeAt: at.now + wait } as const;
  return { client: next, actions: [] };
}

function declined(client: Client, { lease }: Held, mac: string, at: Surroundings): Step {
  const { address, server } = lease;
  const said = { ...saidBy(client, at), address: address.addr, server };
  const message = clientMessage('decline', at.identity, said);
  const actions: Action[] = [
    { do: 'broadcast', message },
    { do: 'declined', address: address.addr, mac },
  ];
  return { client: refused(client, CONFLICT_MS, at).client, actions };
}
