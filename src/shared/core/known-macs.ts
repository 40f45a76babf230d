import type { Family } from '../model/addr.ts';
import type { LinkFacts } from '../model/interface-facts.ts';
import { macOfAddr } from '../model/mac.ts';
import type { Op } from '../model/op.ts';
import { formatPrefix, networkOf, type Prefix, parsePrefix } from '../model/prefix.ts';
import type { LocalStore, NetworkRow } from '../store/store.ts';
import type { Core } from './core.ts';

/**
 * Whether neighbours may know an address by another MAC than its endpoint's. If every address on a bridge of ours has
 * always followed one rule that derives its MAC, none can: an announcement would tell them nothing, and be copied to each
 * port. Notes `macs4:<bridge>` and `macs6:<bridge>` mark such bridges: a boot id, and the rule once an address has one.
 */
type Records = Pick<Core, 'store' | 'host'>;

const FAMILIES = [4, 6] as const;
/** The rule of `macOfAddr`, which depends on the network for IPv6 alone. */
const OWN_RULE = 'own';

function noteOf(bridge: string, family: Family): string {
  return `macs${family}:${bridge}`;
}

/** A new port and what is known of its MAC. */
export interface NewPort {
  readonly link: Pick<LinkFacts, 'bridge' | 'mac'>;
  readonly network: string;
  /** With prefix lengths: `10.88.0.2/16`. */
  readonly addresses: readonly string[];
  /** True to count a bridge of which nothing is known as one with an uplink. Default: false. */
  readonly assumesUplink?: boolean;
}

/**
 * Marks the network's bridge if these ops create it: no port has been there, and what calls that wait for it have noted is
 * all there is. Runs in the transaction that records the network for this boot.
 */
export function noteNewBridge(
  { store, host }: Records,
  { name, device }: Pick<NetworkRow, 'name' | 'device'>,
  ops: readonly Op[],
): void {
  if (!ops.some((op) => op.op === 'link.create' && op.name === device && op.link.kind === 'bridge')) return;
  const { bootId } = host.identity;
  const others = store.networks.list(device).filter((row) => row.name !== name);
  // Another program deleted the bridge in this boot: a pass attaches the remaining pods again.
  if (others.some((row) => row.bootId === bootId)) return;
  for (const family of FAMILIES) {
    const note = noteOf(device, family);
    const seen = parseNote(store.notes.get(note), bootId);
    if (seen?.state !== 'mixed') store.notes.put(note, [bootId, seen?.rule ?? ''].join(' ').trim());
  }
}

/** Removes the marks: the bridge is gone, or a port has a MAC of its own. */
export function forgetMacs(store: LocalStore, bridge: string, families: readonly Family[] = FAMILIES): void {
  for (const family of families)
    if (store.notes.get(noteOf(bridge, family)) !== undefined) store.notes.delete(noteOf(bridge, family));
}

/**
 * Returns the addresses of the new port that its neighbours may know by another MAC, without prefix lengths, and records
 * that they may. Runs in the transaction that records the port.
 */
export function staleAddresses(core: Records & Pick<Core, 'hasUplink'>, port: NewPort): string[] {
  const { bridge } = port.link;
  // The only neighbour is the host side, which is new too.
  if (bridge === undefined) return [];
  return FAMILIES.flatMap((family) => {
    const rules = rulesOf(port, family);
    if (rules.length === 0) return [];
    const isKnown = follow(core, noteOf(bridge, family), rules);
    // Beyond an uplink there may be other addresses and MACs, and switches that have to learn where a MAC is.
    const hasUplink = core.hasUplink?.(bridge) ?? port.assumesUplink === true;
    if (isKnown && !hasUplink) return [];
    return port.addresses.flatMap((text) => (text.includes(':') === (family === 6) ? [text.replace(/\/.*/, '')] : []));
  });
}

/** True if all addresses of the bridge follow the one rule of these. */
function follow({ store, host }: Records, note: string, rules: readonly (string | undefined)[]): boolean {
  const { bootId } = host.identity;
  const seen = parseNote(store.notes.get(note), bootId);
  if (seen?.state === 'mixed') return false;
  const [rule] = rules;
  const known = seen?.rule ?? rule;
  if (rule === undefined || rules.some((one) => one !== known)) {
    store.notes.put(note, MIXED + bootId);
    return false;
  }
  if (seen?.rule === undefined) store.notes.put(note, `${seen === undefined ? UNPROVEN : ''}${bootId} ${rule}`);
  return seen?.state === 'proven';
}

/** First characters of a note: addresses of several rules; one rule, of a bridge that may have been there before. */
const [MIXED, UNPROVEN] = ['!', '?'];

interface Seen {
  readonly state: 'proven' | 'unproven' | 'mixed';
  /** Undefined before the first address. */
  readonly rule: string | undefined;
}

/** Undefined without a note of this boot. */
function parseNote(text = '', bootId: string): Seen | undefined {
  const mark = [MIXED, UNPROVEN].find((one) => text.startsWith(one)) ?? '';
  const [boot, ...words] = text.slice(mark.length).split(' ');
  if (boot !== bootId) return undefined;
  const state = mark === MIXED ? 'mixed' : mark === UNPROVEN ? 'unproven' : 'proven';
  return { state, rule: words.length === 0 ? undefined : words.join(' ') };
}

/** The rule for each of the port's addresses of the family; undefined for a MAC that follows none. */
function rulesOf({ link, network, addresses }: NewPort, family: Family): (string | undefined)[] {
  const prefixes = addresses.flatMap((text) => parsePrefix(text) ?? []);
  return prefixes
    .filter(({ addr }) => addr.family === family)
    .map((own) => {
      if (macOfAddr(own.addr, network) === link.mac) return ownRule(own, network);
      const first = prefixes.find(({ addr }) => macOfAddr(addr, network) === link.mac);
      if (first === undefined || offsetOf(first) !== offsetOf(own)) return undefined;
      // The same place in two subnets: the second address has the MAC of the first.
      return `${formatPrefix(networkOf(own))} as ${formatPrefix(networkOf(first))} ${ownRule(first, network)}`;
    });
}

function ownRule({ addr }: Prefix, network: string): string {
  return addr.family === 4 ? OWN_RULE : `${OWN_RULE} ${network}`;
}

/** The address's place in its subnet. */
function offsetOf(prefix: Prefix): bigint {
  return prefix.addr.value - networkOf(prefix).addr.value;
}
