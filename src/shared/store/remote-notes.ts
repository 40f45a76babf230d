import { type Attachment, attachmentDigest, sameAttachment } from '../model/attachment.ts';
import { parseJson } from '../model/json.ts';
import type { EndpointFacts } from '../remote/endpoint.ts';
import type { NetworkFacts } from '../remote/network.ts';
import * as is from './shapes.ts';
import type { NoteTable } from './store.ts';

/** Names of the Docker plugins of a network. Without `driver`, they only give addresses. */
export interface PluginNames {
  readonly driver?: string;
  readonly ipam?: string;
}

interface Held {
  readonly plugins: PluginNames;
  /** The plugins have refused the last deletion, so that the next refusal ends it. */
  readonly isRefused?: true;
}

/** What the plugins hold for a network. */
export interface RemoteNetworkRow extends Held {
  readonly network: string;
  /** The boot in which the plugins were last told of it. */
  readonly bootId: string;
  /** Options of IPAM, which a replay needs. */
  readonly ipamOptions: Readonly<Record<string, string>>;
  readonly facts: NetworkFacts;
}

/** What the plugins hold for an attachment. It outlives a boot, as the plugins' own state does. */
export interface RemoteEndpointRow extends Held {
  readonly attachment: Attachment;
  readonly facts: EndpointFacts;
}

const NETWORK = 'remote-network ';
const ENDPOINT = 'remote-endpoint ';

const texts: is.Shape = (value) => is.isFields(value) && Object.values(value).every(is.text);
const step = is.oneOf('no', 'asked', 'yes');
const held = {
  plugins: is.record({ driver: is.optional(is.text), ipam: is.optional(is.text) }),
  isRefused: is.optional(is.oneOf(true)),
};
const pool = is.record({
  ...{ family: is.family, addressSpace: is.text, poolId: is.optional(is.text), pool: is.prefix },
  ...{ gateway: is.optional(is.prefix), aux: texts, requested: is.list(is.addr), asked: is.list(is.addr) },
});
const network = is.record({
  ...{ network: is.text, bootId: is.text, ...held, ipamOptions: texts },
  facts: is.record({ networkId: is.text, requiresMac: is.flag, created: step, pools: is.list(pool) }),
});
const endpoint = is.record({
  ...held,
  attachment: is.record({ camp: is.text, network: is.text, containerId: is.text, ifName: is.text }),
  facts: is.record({
    ...{ networkId: is.text, endpointId: is.text, created: step, joined: step, asked: is.list(is.addr) },
    addresses: is.list(is.record({ family: is.family, poolId: is.text, address: is.prefix })),
  }),
});

/** Undefined without one, and for a broken row. */
export function remoteNetwork(notes: NoteTable, name: string): RemoteNetworkRow | undefined {
  const row = parse<RemoteNetworkRow>(notes.get(NETWORK + name), network);
  return row?.network === name ? row : undefined;
}

export function putRemoteNetwork(notes: NoteTable, row: RemoteNetworkRow): void {
  notes.put(NETWORK + row.network, JSON.stringify(row));
}

/** Accepts absence. */
export function deleteRemoteNetwork(notes: NoteTable, name: string): void {
  notes.delete(NETWORK + name);
}

/** Deletes broken rows, unless this only looks. */
export function listRemoteNetworks(notes: NoteTable, looks = false): RemoteNetworkRow[] {
  return list<RemoteNetworkRow>(notes, NETWORK, network, looks);
}

/** Undefined without one, and for a broken row. */
export function remoteEndpoint(notes: NoteTable, attachment: Attachment): RemoteEndpointRow | undefined {
  const row = parse<RemoteEndpointRow>(notes.get(endpointKey(attachment)), endpoint);
  return row !== undefined && sameAttachment(row.attachment, attachment) ? row : undefined;
}

export function putRemoteEndpoint(notes: NoteTable, row: RemoteEndpointRow): void {
  notes.put(endpointKey(row.attachment), JSON.stringify(row));
}

/** Accepts absence. */
export function deleteRemoteEndpoint(notes: NoteTable, attachment: Attachment): void {
  notes.delete(endpointKey(attachment));
}

/** Deletes broken rows, unless this only looks. */
export function listRemoteEndpoints(notes: NoteTable, looks = false): RemoteEndpointRow[] {
  return list<RemoteEndpointRow>(notes, ENDPOINT, endpoint, looks);
}

function endpointKey(attachment: Attachment): string {
  return ENDPOINT + attachmentDigest(attachment);
}

function list<Row>(notes: NoteTable, prefix: string, shape: is.Shape, looks: boolean): Row[] {
  return notes.keys(prefix).flatMap((key) => {
    const row = parse<Row>(notes.get(key), shape);
    if (row === undefined && !looks) notes.delete(key);
    return row ?? [];
  });
}

function parse<Row>(text: string | undefined, shape: is.Shape): Row | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = parseJson(text);
    return shape(value) ? (value as Row) : undefined;
  } catch {
    return undefined;
  }
}
