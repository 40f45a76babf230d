import type { DatabaseSync } from 'node:sqlite';
import { type Attachment, ifbName } from '../model/attachment.ts';
import type { Endpoint, PublishedFacts, SandboxRef, ShapingFacts, TunedFacts } from '../model/endpoint.ts';
import { isPublished } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { InsideFacts, LinkFacts } from '../model/interface-facts.ts';
import { parseJson } from '../model/json.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import { type NetworkHolder, OPERATOR, ownedOf } from '../model/owned.ts';
import { contains, parsePrefix } from '../model/prefix.ts';

/** A row of schemas 1 to 4, which stored the ops that created an endpoint. */
interface SteppedEndpoint {
  readonly attachment: Attachment;
  readonly role: string;
  readonly progress: 'intent' | 'ready';
  readonly sandbox: SandboxRef;
  readonly hostIf: string;
  readonly plan: { readonly ops: readonly Op[]; readonly undo: readonly Op[] };
  readonly scope?: string;
  readonly standby?: PublishedFacts;
  readonly addresses?: readonly string[];
  readonly dockerNetwork?: string;
  readonly createdAt?: number;
  readonly aliases?: readonly string[];
  readonly delegate?: { readonly type: string; readonly config: string };
}

/** Converts rows from ops to facts. A row that cannot be parsed stays unchanged and counts as broken. */
export function migrateToFacts(db: DatabaseSync): void {
  rewrite(db, 'networks', (row) => {
    const { undo, ...rest } = row as { readonly undo: readonly Op[] };
    return { ...rest, owned: ownedOf(undo) };
  });
  rewrite(db, 'endpoints', (row) => factsOf(row as unknown as SteppedEndpoint));
}

/**
 * Turns texts with a meaning into values: holders (`docker:<id>`, `operator`), the owners of requested addresses
 * (`requested-…`, with the time as their interface), and stand-ins for a container's id (`#veth…`).
 */
export function migrateSentinels(db: DatabaseSync): void {
  rewrite(db, 'networks', (row) => {
    const { holders } = row as { readonly holders?: readonly unknown[] };
    return holders === undefined ? undefined : { ...row, holders: holders.map(holderOf) };
  });
  rewrite(db, 'endpoints', (row) => {
    const { kind, attachment } = row as Pick<Endpoint, 'kind' | 'attachment'>;
    return kind === 'recalled' && attachment.containerId.startsWith('#') ? { ...row, isCut: true } : undefined;
  });
  db.exec(`ALTER TABLE leases ADD COLUMN requested_at INTEGER;
    UPDATE leases SET requested_at = CAST(interface AS INTEGER), interface = ''
    WHERE camp = 'cnm' AND container LIKE 'requested-%'`);
}

function holderOf(text: unknown): NetworkHolder {
  if (text === 'operator') return OPERATOR;
  const id = /^docker:(.+)$/s.exec(String(text))?.[1];
  if (id === undefined) throw new Error(`unknown holder ${text}`);
  return { kind: 'docker', id };
}

function rewrite(db: DatabaseSync, table: 'networks' | 'endpoints', change: (row: object) => object | undefined): void {
  // Both tables have a rowid.
  const update = db.prepare(`UPDATE ${table} SET body = ? WHERE rowid = ?`);
  for (const { rowid, body } of db.prepare(`SELECT rowid, body FROM ${table}`).all()) {
    const changed = converted(change, String(body));
    if (changed !== undefined && typeof rowid === 'number') update.run(JSON.stringify(changed), rowid);
  }
}

/** Undefined for a body that cannot be converted: it costs its own row only. */
function converted(change: (row: object) => object | undefined, body: string): object | undefined {
  try {
    return change(parseJson(body) as object);
  } catch {
    return undefined;
  }
}

/** Undefined for a role that has no rows. */
export function factsOf(row: SteppedEndpoint): Endpoint | undefined {
  const { attachment, progress, sandbox, plan } = row;
  const part = { attachment, progress, sandbox };
  switch (row.role) {
    case 'interface':
      return interfaceOf(row);
    case 'portmap':
      return { ...part, kind: 'ports', role: 'portmap', ...portsOf(row) };
    case 'firewall':
      return { ...part, kind: 'firewall', role: 'firewall' };
    case 'bandwidth': {
      const shaping = shapingOf(row);
      return shaping && { ...part, kind: 'bandwidth', role: 'bandwidth', shaping };
    }
    case 'tuning':
      return {
        ...part,
        kind: 'tuning',
        role: 'tuning',
        wanted: tunedOf(plan.ops),
        before: tunedOf(plan.undo.toReversed()),
      };
    default:
      return undefined;
  }
}

function interfaceOf(row: SteppedEndpoint): Endpoint {
  const { attachment, progress, sandbox, hostIf, plan, scope, addresses = [], dockerNetwork, createdAt } = row;
  const part = { attachment, progress, sandbox, role: 'interface' as const, ...given({ scope }) };
  const told = dockerNetwork === undefined ? {} : { dockerNetwork };
  if (progress === 'ready' && sandbox.id === '') {
    const since = createdAt === undefined ? {} : { createdAt, addresses };
    return { ...part, kind: 'recalled', hostIf, ...told, ...since };
  }
  const link = linkOf(row);
  if (attachment.camp === 'cnm') {
    return { ...part, kind: 'docker', ...(link && { link }), addresses, ...told, createdAt: createdAt ?? 0 };
  }
  // An intent whose process died before it planned: only the name of its interface is known.
  if (link === undefined) return { ...part, kind: 'recalled', hostIf };
  const shaping = shapingOf(row, link.mtu);
  const journal = plan.undo.filter((op) => op.op === 'sysctl.set' && op.ns === 'sandbox');
  return {
    ...part,
    kind: 'cni',
    link,
    inside: insideOf(plan.ops),
    aliases: row.aliases ?? [],
    ...portsOf(row),
    ...given({ shaping, delegate: row.delegate }),
    ...(progress === 'intent' && journal.length > 0 ? { journal } : {}),
  };
}

function linkOf({ hostIf, plan: { ops } }: SteppedEndpoint): LinkFacts | undefined {
  const made = ops.find((op) => op.op === 'link.create' && op.name === hostIf);
  if (made?.op !== 'link.create' || made.link.kind !== 'veth') return undefined;
  const { peer } = made.link;
  const [{ mac }, { mac: hostMac, master: bridge }] = [peer, made];
  if (mac === undefined || hostMac === undefined || bridge === undefined) return undefined;
  const set = Object.assign({}, ...ops.map((op) => (op.op === 'port.set' && op.name === hostIf ? op.set : {})));
  const vlans = ops.flatMap((op) => (op.op === 'vlan.add' && op.name === hostIf ? [op.vlan] : []));
  return {
    hostIf,
    ifName: peer.name,
    mac,
    hostMac,
    mtu: made.mtu ?? 1500,
    bridge,
    alias: made.alias ?? '',
    ...(set.hairpin === true ? { hairpin: true } : {}),
    ...(set.isolated === true ? { isolated: true } : {}),
    ...(ops.some(({ op }) => isGuard(op)) ? { guarded: true } : {}),
    ...(vlans.length > 0 ? { vlans } : {}),
    ...(ops.some((op) => op.op === 'vlan.delete' && op.name === hostIf) ? { leavesDefaultVlan: true } : {}),
  };
}

/** Guards were ops of their own, which this release does not have. */
function isGuard(op: string): boolean {
  return op === 'nft.element.add';
}

function insideOf(ops: readonly Op[]): InsideFacts {
  const routes = ops.flatMap((op) => {
    if (op.op !== 'route.add' || op.ns !== 'sandbox') return [];
    const { dev: _, ...route } = op.route;
    return [route];
  });
  // The driver completes the others.
  const gatewayOf = (address: string): string | undefined =>
    routes.find(({ gateway }) => gateway !== undefined && isInSubnet(gateway, address))?.gateway;
  const addresses = ops.flatMap((op) => (op.op === 'addr.add' && op.ns === 'sandbox' ? [op.address] : []));
  return {
    addresses: addresses.map((address) => {
      const gateway = gatewayOf(address);
      return { address, ...given({ gateway }) };
    }),
    routes,
    up: ops.some((op) => op.op === 'link.set' && op.ns === 'sandbox' && op.set.up === true),
    detectDuplicates: !ops.some((op) => op.op === 'sysctl.set' && op.key.endsWith('/accept_dad')),
  };
}

function isInSubnet(address: string, subnet: string): boolean {
  const single = parsePrefix(`${address}/${address.includes(':') ? 128 : 32}`);
  const prefix = parsePrefix(subnet);
  return single !== undefined && prefix !== undefined && contains(prefix, single.addr);
}

/** The published ports are those that the undo unpublishes. */
function portsOf({ plan, standby }: SteppedEndpoint): { published?: PublishedFacts; standby?: PublishedFacts } {
  const deletions = plan.undo.flatMap((op) => (op.op === 'firewall.delete' ? [op] : []));
  const [first] = deletions;
  const entries = deletions.flatMap((op) => op.entries.filter(isPublished));
  const backend = first?.backend ?? standby?.backend;
  return {
    ...(backend === undefined ? {} : { published: { backend, entries } }),
    ...given({ standby }),
  };
}

/** Converts rates from bytes; their bursts were raised to hold at least one packet. */
function shapingOf({ attachment, plan: { ops } }: SteppedEndpoint, mtu = 1500): ShapingFacts | undefined {
  const redirect = ops.find((op) => op.op === 'redirect.add');
  const ifb = redirect?.op === 'redirect.add' ? redirect.to : ifbName(attachment);
  const made = ops.find((op) => op.op === 'link.create' && op.name === ifb);
  const buckets = ops.flatMap((op) => (op.op === 'tbf.add' ? [op] : []));
  const ingress = buckets.find(({ dev }) => dev !== ifb);
  const egress = buckets.find(({ dev }) => dev === ifb);
  const hostIf = redirect?.op === 'redirect.add' ? redirect.dev : ingress?.dev;
  if (hostIf === undefined) return undefined;
  return {
    hostIf,
    ifb,
    mtu: made?.op === 'link.create' ? (made.mtu ?? mtu) : mtu,
    ...(made?.op === 'link.create' && made.alias !== undefined ? { alias: made.alias } : {}),
    ...(ingress === undefined ? {} : { ingress: { rate: ingress.rate * 8, burst: ingress.burst * 8 } }),
    ...(egress === undefined ? {} : { egress: { rate: egress.rate * 8, burst: egress.burst * 8 } }),
  };
}

function tunedOf(ops: readonly Op[]): TunedFacts {
  return {
    sysctls: ops.flatMap((op) => (op.op === 'sysctl.set' ? [[op.key, op.value] as const] : [])),
    link: Object.assign({}, ...ops.map((op): LinkChanges => (op.op === 'link.set' ? op.set : {}))),
  };
}
