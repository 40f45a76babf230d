import { type RangeSet, within } from '../ipam/ranges.ts';
import { type Addr, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import type { Camp } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import { parseJson } from '../model/json.ts';
import { contains, firstOf, formatPrefix, parsePrefix } from '../model/prefix.ts';
import * as is from '../store/shapes.ts';

/** What all hosts of a cluster have in common. */
export interface Settings {
  /** UDP port of VXLAN. */
  readonly port: number;
  /** Family of the addresses that hosts reach each other by. */
  readonly underlay: Family;
  readonly firstVni: number;
  readonly lastVni: number;
}

/** A host, until it is forgotten. */
export interface HostRecord {
  readonly name: string;
  readonly bootId: string;
  readonly underlay4?: string;
  readonly underlay6?: string;
  /** MTU of the route to its peers. */
  readonly mtu: number;
  /** Version of Isthmus. */
  readonly release: string;
  /** It takes part in encrypted networks: random, and another one whenever it has to begin with new keys. */
  readonly esp?: string;
}

/** Shows that a host is present: deleted when its session ends. */
export interface Presence {
  readonly name: string;
  readonly bootId: string;
  /** The store has all its entries. */
  readonly isReady: boolean;
}

export type NetworkMode = 'shared' | 'per-host';

export interface NetworkOptions {
  /** Broadcast and multicast go to every host that has endpoints. */
  readonly flood: boolean;
  /** Each host has an address of its own on the network. */
  readonly hostAddress: boolean;
  /** Nothing outside the network is reachable from it. */
  readonly internal: boolean;
  readonly encrypted: boolean;
}

export interface NetworkRecord {
  readonly name: string;
  readonly vni: number;
  readonly mode: NetworkMode;
  /** An endpoint gets one address of each set. */
  readonly sets: readonly RangeSet[];
  /** `per-host`: length of the range that a host leases, by family. */
  readonly hostLength4?: number;
  readonly hostLength6?: number;
  readonly mtu: number;
  readonly options: NetworkOptions;
  /** `going`: it is being deleted, and accepts no new user. */
  readonly state: 'live' | 'going';
}

/** Owner of an address. */
export interface AddressRecord {
  readonly host: string;
  readonly mac: string;
  /** `endpointText` of its endpoint, or `HOST_ENDPOINT`. */
  readonly endpoint: string;
  readonly bootId: string;
  /** Random, and different for each claim, so that no value is put twice. */
  readonly claim: string;
}

/** Instead of an endpoint: the address is the host's own. */
export const HOST_ENDPOINT = 'host';

/** Owner of a range, or user of a network. */
export interface HolderRecord {
  readonly host: string;
  readonly name: string;
  readonly claim: string;
}

const MAX_VNI = 0xffffff;
const vni: is.Shape = (value) => is.positive(value) && Number(value) <= MAX_VNI;
const mtu: is.Shape = (value) => is.count(value) && Number(value) >= 576 && Number(value) <= 65_535;

const settings = is.record({ port: is.port, underlay: is.family, firstVni: vni, lastVni: vni });
const host = is.record({
  ...{ name: is.text, bootId: is.text, underlay4: is.optional(is.addr), underlay6: is.optional(is.addr) },
  ...{ mtu, release: is.text, esp: is.optional(is.text) },
});
const presence = is.record({ name: is.text, bootId: is.text, isReady: is.flag });
const range = is.record({ subnet: is.prefix, first: is.addr, last: is.addr, gateway: is.addr });
const options = is.record({ flood: is.flag, hostAddress: is.flag, internal: is.flag, encrypted: is.flag });
const network = is.record({
  ...{ name: is.text, vni, mode: is.oneOf('shared', 'per-host'), sets: is.list(is.list(range)), mtu, options },
  ...{ hostLength4: is.optional(is.positive), hostLength6: is.optional(is.positive) },
  state: is.oneOf('live', 'going'),
});
const address = is.record({ host: is.text, mac: is.mac, endpoint: is.text, bootId: is.text, claim: is.text });
const holder = is.record({ host: is.text, name: is.text, claim: is.text });

/** Each parser returns undefined for a malformed value. */
export function parseSettings(text: string): Settings | undefined {
  const found = parse<Settings>(text, settings);
  return found !== undefined && found.firstVni <= found.lastVni ? found : undefined;
}

export function formatSettings({ port, underlay, firstVni, lastVni }: Settings): string {
  return JSON.stringify({ port, underlay, firstVni, lastVni });
}

export function parseHost(text: string): HostRecord | undefined {
  return parse<HostRecord>(text, host);
}

export function formatHost({ name, bootId, underlay4, underlay6, mtu, release, esp }: HostRecord): string {
  return JSON.stringify({ name, bootId, ...given({ underlay4, underlay6 }), mtu, release, ...given({ esp }) });
}

export function parsePresence(text: string): Presence | undefined {
  return parse<Presence>(text, presence);
}

export function formatPresence({ name, bootId, isReady }: Presence): string {
  return JSON.stringify({ name, bootId, isReady });
}

export function parseAddress(text: string): AddressRecord | undefined {
  return parse<AddressRecord>(text, address);
}

export function formatAddress({ host, mac, endpoint, bootId, claim }: AddressRecord): string {
  return JSON.stringify({ host, mac, endpoint, bootId, claim });
}

export function parseHolder(text: string): HolderRecord | undefined {
  return parse<HolderRecord>(text, holder);
}

export function formatHolder({ host, name, claim }: HolderRecord): string {
  return JSON.stringify({ host, name, claim });
}

/** A range as text. */
interface RangeText {
  readonly subnet: string;
  readonly first: string;
  readonly last: string;
  readonly gateway: string;
}

export function parseNetwork(text: string): NetworkRecord | undefined {
  const found = parse<Omit<NetworkRecord, 'sets'> & { readonly sets: readonly (readonly RangeText[])[] }>(
    text,
    network,
  );
  const sets = found?.sets.map(parseSet);
  if (found === undefined || sets === undefined || sets.length === 0 || sets.includes(undefined)) return undefined;
  return { ...found, sets: sets.flatMap((set) => (set === undefined ? [] : [set])) };
}

export function formatNetwork(record: NetworkRecord): string {
  const { name, vni, mode, mtu, hostLength4, hostLength6, options, state } = record;
  const { flood, hostAddress, internal, encrypted } = options;
  const sets = record.sets.map((set) =>
    set.map(({ subnet, rangeStart, rangeEnd, gateway }): RangeText => {
      const [first, last] = [formatAddr(rangeStart), formatAddr(rangeEnd)];
      return { subnet: formatPrefix(subnet), first, last, gateway: formatAddr(gateway) };
    }),
  );
  const lengths = given({ hostLength4, hostLength6 });
  return JSON.stringify({
    ...{ name, vni, mode, sets, ...lengths, mtu },
    ...{ options: { flood, hostAddress, internal, encrypted }, state },
  });
}

function parseSet(texts: readonly RangeText[]): RangeSet | undefined {
  const ranges = texts.flatMap((text) => {
    const [subnet, rangeStart, rangeEnd] = [parsePrefix(text.subnet), parseAddr(text.first), parseAddr(text.last)];
    const gateway = parseAddr(text.gateway);
    if (subnet === undefined || rangeStart === undefined || rangeEnd === undefined || gateway === undefined) return [];
    const isInside = [rangeStart, rangeEnd, gateway].every((addr: Addr) => contains(subnet, addr));
    const isWhole = firstOf(subnet).value === subnet.addr.value;
    const isOrdered = within({ first: rangeStart, last: rangeEnd }, rangeEnd) && rangeStart.value <= rangeEnd.value;
    return isInside && isWhole && isOrdered ? [{ subnet, rangeStart, rangeEnd, gateway }] : [];
  });
  const family = ranges[0]?.subnet.addr.family;
  const isOne = ranges.every(({ subnet }) => subnet.addr.family === family);
  return ranges.length === texts.length && ranges.length > 0 && isOne ? ranges : undefined;
}

/** `cni/<container>/<interface>`. */
export function endpointText(endpoint: {
  readonly camp: Camp;
  readonly containerId: string;
  readonly ifName: string;
}): string {
  return [endpoint.camp, endpoint.containerId, endpoint.ifName].map(encodeURIComponent).join('/');
}

/** The inverse of `endpointText`; undefined for another text. */
export function parseEndpointText(
  text: string,
): { readonly camp: Camp; readonly containerId: string; readonly ifName: string } | undefined {
  const parts = text.split('/');
  const [camp, containerId, ifName] = parts.map(decoded);
  if (parts.length !== 3 || (camp !== 'cni' && camp !== 'cnm') || containerId === undefined || ifName === undefined)
    return undefined;
  return { camp, containerId, ifName };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const EXCERPT = 200;

/** A value for people, which another program may have made as large as the store takes. */
export function excerpt(text: string): string {
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text;
}

/** A value of JSON that has the shape, which is that of `T`; undefined for another one. */
export function parse<T>(text: string, shape: is.Shape): T | undefined {
  try {
    const value: unknown = parseJson(text);
    return shape(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
