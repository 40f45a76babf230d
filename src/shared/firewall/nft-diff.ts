import { type Element, footprint } from '../host/firewall-elements.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { readAddresses } from '../host/read-addresses.ts';
import { LinkReader } from '../host/read-links.ts';
import { formatAddr } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { parsePrefix } from '../model/prefix.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../netlink/netfilter.ts';
import { addElementsRequests, deleteChainRequests, deleteElementsRequests } from '../netlink/nft-batch.ts';
import { listElements, type RawElement } from '../netlink/nft-sets.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import { linkIndex } from '../netlink/sys.ts';
import type { Admitter } from './admit.ts';
import { encodeElement, hasPrefix, setId, TABLE_ID, textOf } from './nft-elements.ts';
import { clash } from './nft-failure.ts';
import { obsoleteRequests } from './nft-obsolete.ts';
import { hasRule, intervalsOf, presenceOf, replaceable } from './nft-state.ts';
import { DOCKER_SETS, isIntervalSet, ruleCounts, SERVICE_SETS, SET_NAMES, UNGUARDED_SETS } from './nft-table.ts';

/** The wanted content of the table. */
interface TableContent {
  readonly elements: readonly Element[];
  /** Elements that stay if the table has them. */
  readonly kept: readonly Element[];
  /** Port chains. */
  readonly chains: readonly string[];
}

/**
 * Returns the messages that make the table's sets hold exactly these elements, and delete all port chains except the
 * named ones. Leaves existing elements untouched, so traffic is not interrupted.
 */
export function diffRequests(
  socket: NetlinkSocket,
  { elements, kept, chains }: TableContent,
  counted: ReadonlyMap<string, number>,
): Request[] {
  const changes = SET_NAMES.map((set) => setChange(socket, set, elements, kept));
  const [removed, added] = [changes.flatMap((change) => change.removed), changes.flatMap((change) => change.added)];
  const left = [...counted.keys()].filter((chain) => !ruleCounts().has(chain) && !chains.includes(chain));
  return [...removed, ...left.flatMap((chain) => deleteChainRequests(TABLE_ID, chain)), ...added];
}

/** kube-proxy's device for the addresses of services, in its mode ipvs. */
const SERVICE_DEVICE = 'kube-ipvs0';

/** The elements of the sets about services of IPVS. */
function serviceElements(ns: LinuxNamespace): Element[] {
  // Most hosts lack the device. This look-up does not wait for RTNL.
  if (linkIndex(ns.route.fd, SERVICE_DEVICE) === undefined) return [];
  return readAddresses(ns, new LinkReader(ns), [SERVICE_DEVICE]).flatMap(({ address }) => {
    const prefix = parsePrefix(address);
    if (prefix === undefined) return [];
    const { family } = prefix.addr;
    return [{ set: SERVICE_SETS[family], key: [{ type: 'addr', value: formatAddr(prefix.addr) }] }];
  });
}

/** The elements that come from no entry, but from the bridges and the services of others; `own` are all that do. */
export function othersElements(ns: LinuxNamespace, admitter: Admitter, own: readonly Element[]): Element[] {
  return [...dockerElements(admitter, networksOf(own)), ...serviceElements(ns)];
}

/** Returns the messages that bring those elements up to date; with `entries`, those that matter to these. */
export function othersRequests(
  socket: NetlinkSocket,
  ns: LinuxNamespace,
  admitter: Admitter,
  entries?: readonly FirewallEntry[],
): Request[] {
  const concerns = (kind: FirewallEntry['kind']): boolean => entries?.some((entry) => entry.kind === kind) !== false;
  const services = concerns('port') ? serviceElements(ns) : [];
  const changes = [
    ...(concerns('policy') ? setChanges(socket, DOCKER_SETS, dockerElements(admitter, networksThere(socket))) : []),
    ...(entries === undefined || services.length > 0 ? setChanges(socket, Object.values(SERVICE_SETS), services) : []),
  ];
  return changes.flatMap(({ removed, added }) => [...removed, ...added]);
}

function setChanges(socket: NetlinkSocket, sets: readonly string[], elements: readonly Element[]): SetChange[] {
  return sets.map((set) => setChange(socket, set, elements));
}

const FAMILIES = [4, 6] as const;

interface SetChange {
  readonly removed: readonly Request[];
  readonly added: readonly Request[];
}

function setChange(
  socket: NetlinkSocket,
  set: string,
  elements: readonly Element[],
  kept: readonly Element[] = [],
): SetChange {
  const id = { ...TABLE_ID, set };
  const of = (some: readonly Element[]) => byText(some.filter((one) => one.set === set).map(encodeElement));
  const wanted = of(elements);
  const there = byText(unitsOf(set, listElements(socket, id)));
  return {
    removed: deleteElementsRequests(id, without(there, new Map([...wanted, ...of(kept)]))),
    added: addElementsRequests(id, without(wanted, there)),
  };
}

/** The elements of the sets about bridges that are closed to `ours`. */
function dockerElements(admitter: Admitter, ours: ReadonlySet<string>): Element[] {
  return admitter
    .closedBridges()
    .filter(({ name }) => !ours.has(name))
    .flatMap(({ name, guarded }) =>
      ['docker', ...FAMILIES.filter((family) => !guarded.includes(family)).map((family) => UNGUARDED_SETS[family])].map(
        (set): Element => ({ set, key: [{ type: 'ifname', value: name }] }),
      ),
    );
}

/** The devices in set `networks`. */
function networksThere(socket: NetlinkSocket): ReadonlySet<string> {
  const names = listElements(socket, { ...TABLE_ID, set: NETWORKS_SET }).map(({ key }) =>
    Buffer.from(key?.value ?? []),
  );
  return new Set(names.map((bytes) => bytes.toString().replace(/\0.*$/s, '')));
}

/** The devices that these elements put into set `networks`. */
function networksOf(elements: readonly Element[]): ReadonlySet<string> {
  const networks = elements.filter(({ set }) => set === NETWORKS_SET);
  return new Set(networks.flatMap(({ key }) => key.map(({ value }) => String(value))));
}

const NETWORKS_SET = 'networks';

/** The entries that the table lacks in part or whose replaced remains it still has. For a whole table. */
export function lackingEntries(socket: NetlinkSocket, entries: readonly FirewallEntry[]): FirewallEntry[] {
  const parts = entries.map((entry) => ({ entry, ...footprint([entry]) }));
  const states = presenceOf(
    socket,
    parts.flatMap(({ elements }) => elements),
  );
  let at = 0;
  return parts.flatMap(({ entry, elements, chains }) => {
    const own = states.slice(at, at + elements.length);
    at += elements.length;
    const isThere = own.every((state) => state === 'present') && chains.every(({ name }) => hasRule(socket, name));
    return isThere && obsoleteRequests(socket, [entry]).length === 0 ? [] : [entry];
  });
}

/**
 * Elements that are added and deleted together: the start of an interval directly followed by its end, or one element.
 */
function unitsOf(set: string, list: readonly RawElement[]): RawElement[][] {
  if (!isIntervalSet(set)) return list.map((element) => [element]);
  return intervalsOf(list).map(({ start, end }) =>
    end === undefined ? [start] : [start, { flags: NFT_SET_ELEM_INTERVAL_END, key: { value: end } }],
  );
}

function byText(units: readonly (readonly RawElement[])[]): ReadonlyMap<string, readonly RawElement[]> {
  return new Map(units.map((unit) => [textOf(unit), unit]));
}

function without(
  units: ReadonlyMap<string, readonly RawElement[]>,
  others: ReadonlyMap<string, unknown>,
): readonly RawElement[] {
  return [...units].flatMap(([text, unit]) => (others.has(text) ? [] : unit));
}

/**
 * Returns the messages that delete what these elements replace: a device's policy, a subnet's source and exceptions.
 * Throws NetError `conflict` if an element is another endpoint's.
 */
export function replacements(socket: NetlinkSocket, elements: readonly Element[]): Request[] {
  const states = presenceOf(socket, elements);
  const foreign = elements.filter((_, i) => states[i] === 'foreign');
  const olds = foreign.map((element) => ({ element, old: replaceable(socket, element) }));
  const clashing = olds.find(({ old }) => old === undefined)?.element;
  if (clashing !== undefined || foreign.length === 0)
    throw clash(socket, clashing ?? elements.find((element, i) => states[i] === 'absent' && hasPrefix(element)));
  // Several new exceptions may replace one old exception.
  const all = olds.map(({ element, old = [] }) => [`${element.set} ${textOf(old)}`, element, old] as const);
  const once = new Map(all.map(([text, element, old]) => [text, deleteElementsRequests(setId(element), old)]));
  return [...once.values()].flat();
}
