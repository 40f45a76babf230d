import { planShaping } from '../../drivers/bandwidth/shaping.ts';
import { planPort } from '../../drivers/link.ts';
import { planFlushes } from '../../drivers/rules.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { renderOp } from '../../host/render.ts';
import type { Attachment, Role } from '../../model/attachment.ts';
import { type Endpoint, hostIfOf, hostSideOf, type ShapingFacts } from '../../model/endpoint.ts';
import { entryKey, type FirewallEntry } from '../../model/firewall.ts';
import type { LinkFacts } from '../../model/interface-facts.ts';
import type { Op } from '../../model/op.ts';
import { attachmentKey, ifFree, type TryLock } from '../apply.ts';
import type { Core } from '../core.ts';
import { type BackendEntries, desiredEntries, entriesOf, recalledLink } from '../desired.ts';
import { missingEntries, opDrift } from '../diff.ts';
import { execute } from '../execute.ts';
import { lackingHostSide } from './host-side.ts';

type Wait = (ms: number) => Promise<unknown>;

/** What a pass restored. */
export interface Mended {
  readonly entries: number;
  /** Everything besides entries, as commands. */
  readonly mended: readonly string[];
  readonly errors: readonly NetError[];
}

/** How many times to retry a part that a call has locked, and the milliseconds between. */
const ATTEMPTS = 25;
const PAUSE_MS = 200;

/**
 * Restores what the host lacks of the ready parts on record: port settings of host sides, or their addresses and routes,
 * guards, limits and published ports. The inside of a sandbox belongs to the container. Does not recreate a deleted interface: a DEL that could not
 * write its record (a full disk) deletes it too. CHECK reports it.
 */
export async function mendEndpoints(core: Core, tryLock: TryLock, wait: Wait): Promise<Mended> {
  const mended: string[] = [];
  const errors: NetError[] = [];
  let entries = 0;
  let damaged = await findDamaged(core, core.store.endpoints.list(), wait);
  for (let attempt = 0; damaged.length > 0 && attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await wait(PAUSE_MS);
    const busy: Endpoint[] = [];
    for (const { attachment, role } of damaged) {
      try {
        const done = await ifFree(tryLock, attachmentKey(attachment), () => mend(core, attachment, role));
        if (done === undefined) busy.push(...[core.store.endpoints.get(attachment, role) ?? []].flat());
        entries += done?.entries ?? 0;
        mended.push(...(done?.mended ?? []));
      } catch (thrown) {
        errors.push(asNetError(thrown, 'reconcile'));
      }
    }
    damaged = busy;
  }
  return { entries, mended, errors };
}

/** What the host lacks of a part. */
export interface PartLack {
  readonly part: Endpoint;
  /** Steps besides packet filter entries. */
  readonly ops: readonly Op[];
  readonly entries: readonly FirewallEntry[];
}

/** Returns what the host lacks of each of the parts that lack something, in one reading of all. Changes nothing. */
export async function lacksOfEndpoints(core: Core, all: readonly Endpoint[], wait: Wait): Promise<PartLack[]> {
  const view = observe(core, all);
  const lacking = new Set<string>();
  const networks = core.store.networks.list();
  for (const [backend, entries] of desiredEntries([], all, networks)) {
    const missing = await missingEntries(core.firewall(backend), entries, wait);
    for (const entry of missing) lacking.add(`${backend} ${entryKey(entry)}`);
  }
  const byName = new Map(networks.map((network) => [network.name, network]));
  const lost = ({ backend, entries }: BackendEntries): readonly FirewallEntry[] =>
    entries.filter((entry) => lacking.has(`${backend} ${entryKey(entry)}`));
  return all.flatMap((part) => {
    const entries = lacking.size === 0 ? [] : entriesOf(part, byName.get(part.attachment.network)).flatMap(lost);
    const ops = part.progress === 'ready' ? lackingOps(core, part, view) : [];
    return entries.length + ops.length === 0 ? [] : [{ part, ops, entries }];
  });
}

/** Includes those of transitions under way: a sweep must not delete the entries of one that ends meanwhile. */
async function findDamaged(core: Core, all: readonly Endpoint[], wait: Wait): Promise<Endpoint[]> {
  return (await lacksOfEndpoints(core, all, wait)).map(({ part }) => part);
}

/** The caller holds the attachment's lock. */
async function mend(core: Core, attachment: Attachment, role: Role): Promise<Omit<Mended, 'errors'>> {
  const { host, store } = core;
  const row = store.endpoints.get(attachment, role);
  if (row?.progress !== 'ready') return { entries: 0, mended: [] };
  const view = observe(core, [row]);
  const ops = lackingOps(core, row, view);
  if (ops.length > 0) await execute(core, ops, { host: host.own });
  let added = 0;
  for (const { backend, entries } of entriesOf(row, store.networks.get(attachment.network))) {
    const missing = await core.firewall(backend).missing(entries);
    if (missing.length > 0) await core.firewall(backend).add(missing);
    const flushes = planFlushes(missing);
    if (flushes.length > 0) host.apply(flushes, { host: host.own });
    added += missing.length;
  }
  return { entries: added, mended: ops.map((op) => renderOp(op, { sandbox: attachment.containerId })) };
}

/** Reads the view that `lackingOps` compares with. */
function observe({ host }: Core, parts: readonly Endpoint[]): View {
  const [only] = parts;
  const shaped = parts.flatMap((part) => ('shaping' in part && part.shaping !== undefined ? [part.shaping] : []));
  const devices = [...new Set(shaped.flatMap(({ hostIf, ifb }) => [hostIf, ifb]))];
  const names = only === undefined ? [] : [hostIfOf(only) ?? []].flat();
  const sides = parts.flatMap((part) => hostSideOf(part)?.hostIf ?? []);
  return host.observe(host.own, {
    ...(sides.length === 0 ? {} : { addresses: parts.length === 1 ? sides : 'all', routes: true }),
    links: parts.length === 1 ? [...new Set([...names, ...devices])] : 'all',
    shaping: devices,
  });
}

/** Ops that restore what the host lacks of a part, except packet filter entries. */
function lackingOps(core: Core, part: Endpoint, view: View): Op[] {
  const hostIf = hostIfOf(part);
  const shaping = 'shaping' in part ? part.shaping : undefined;
  const ofShaping = shaping === undefined || !view.links.has(shaping.hostIf) ? [] : lackingShaping(shaping, view);
  if (hostIf === undefined || !view.links.has(hostIf)) return ofShaping;
  const link =
    part.kind === 'recalled'
      ? recalledLink(hostIf, core.store.networks.get(part.attachment.network), view)
      : linkOf(part);
  const side = hostSideOf(part);
  return [
    ...(link === undefined ? [] : lackingPort(link, view)),
    ...(side === undefined ? [] : lackingHostSide(side, view)),
    ...ofShaping,
  ];
}

function linkOf(part: Endpoint): LinkFacts | undefined {
  return part.kind === 'cni' || part.kind === 'docker' ? part.link : undefined;
}

/** Makes a host side that has left its bridge a port again. Does not move one that has another bridge. */
function lackingPort(link: LinkFacts, view: View): Op[] {
  const state = view.links.get(link.hostIf);
  const name = link.hostIf;
  if (state === undefined) return [];
  if (state.master === undefined && link.bridge !== undefined) {
    return [{ op: 'link.set', ns: 'host', name, set: { master: link.bridge, up: true } }, ...planPort(link)];
  }
  const lacks = planPort(link).filter((op) => op.op === 'port.set' && opDrift(op, view, view, []) !== undefined);
  return state.up ? lacks : [{ op: 'link.set', ns: 'host', name, set: { up: true } }, ...lacks];
}

function lackingShaping(shaping: ShapingFacts, view: View): Op[] {
  const { ops } = planShaping(shaping, { hostIfGoes: true });
  const isMissing = (op: Op): boolean => {
    if (op.op === 'tbf.add') return view.shaping.get(op.dev)?.tbf === undefined;
    if (op.op === 'redirect.add') return view.shaping.get(op.dev)?.redirect === undefined;
    return opDrift(op, view, view, []) !== undefined || ('name' in op && !view.links.has(op.name));
  };
  return ops.filter(isMissing);
}
