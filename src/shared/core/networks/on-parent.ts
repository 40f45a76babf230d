import type { NetworkSpec } from '../../config/network-spec.ts';
import { type ParentedOptions, parentedOf } from '../../config/parented.ts';
import { planTrial } from '../../drivers/lone/parented.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import { parseDeviceAlias } from '../../model/alias.ts';
import type { LoneLink } from '../../model/interface-facts.ts';
import type { LinkState } from '../../model/link.ts';
import { EMPTY_PLAN, type Plan } from '../../model/op.ts';
import type { Owned } from '../../model/owned.ts';
import { formatPrefix } from '../../model/prefix.ts';
import type { Core } from '../core.ts';
import { execute, reverse } from '../execute.ts';
import { assertAlone, describe, meet, subnetsOf } from './alone.ts';
import { isUsed } from './record.ts';

/** What keeps two users of a parent apart. */
type Use = Pick<ParentedOptions, 'driver' | 'mode'> & { readonly flag?: string };

/** Throws NetError `conflict` if another Network, or a pod, uses what this one needs for itself. */
export function assertOnlyUser(core: Core, name: string, spec: NetworkSpec): void {
  const options = parentedOf(spec.options);
  if (options === undefined) {
    assertAlone(core, name, spec);
    return;
  }
  const { master } = options;
  for (const row of core.store.networks.list()) {
    const other = parentedOf(row.spec?.options);
    if (row.name === name || other?.master !== master || !isUsed(core, row)) continue;
    const why = clash(options, other) ?? overlap(spec, row.spec);
    if (why !== undefined) throw taken(master, `${describe(row)} is on it, ${why}`);
  }
  for (const row of core.store.endpoints.list()) {
    const other = row.kind === 'lone' ? useOf(row.link.link, master) : undefined;
    const why = other && clash(options, other);
    if (why !== undefined) throw taken(master, `pod ${row.attachment.containerId} is on it, ${why}`);
  }
}

/** How a pod's interface uses the parent; undefined if it does not. */
function useOf(link: LoneLink, master: string): Use | undefined {
  if ((link.kind !== 'macvlan' && link.kind !== 'ipvlan') || link.dev !== master || link.devNs === 'sandbox')
    return undefined;
  if (link.kind === 'ipvlan') return { driver: 'ipvlan', mode: link.mode, flag: link.flag };
  return link.mode === 'source' ? undefined : { driver: 'macvlan', mode: link.mode };
}

function clash(own: Use, other: Use): string | undefined {
  if (own.driver !== other.driver) return `with ${other.driver}: a parent has one kind`;
  if (own.driver === 'macvlan') {
    const isAlone = own.mode === 'passthru' || other.mode === 'passthru';
    return isAlone ? `with mode ${other.mode}: mode passthru needs a parent for itself` : undefined;
  }
  const same = own.mode === other.mode && own.flag === other.flag;
  return same ? undefined : `with mode ${other.mode} and flag ${other.flag}: a parent has one of each`;
}

/** Two Networks that would give one address to two endpoints, since they do not share leases. */
function overlap(spec: NetworkSpec, other: NetworkSpec | undefined): string | undefined {
  if (spec.scope !== undefined && spec.scope === other?.scope) return undefined;
  const others = subnetsOf(other?.ranges ?? []);
  const found = subnetsOf(spec.ranges).flatMap((own) => others.find((one) => meet(own, one)) ?? []);
  return found[0] && `with addresses of ${formatPrefix(found[0].prefix)}, which overlap: give each an --ip-range`;
}

function taken(master: string, what: string): NetError {
  return fault.conflict('network', `parent=${master}`, what, `Choose another parent, such as a VLAN: ${master}.10`);
}

export function trialOf(name: string, { options }: NetworkSpec): Plan {
  const parented = parentedOf(options);
  return parented === undefined ? EMPTY_PLAN : planTrial(parented, name);
}

/** Throws NetError for a link that the kernel does not make on the parent. Leaves nothing. */
export async function tryLink(core: Core, { options }: NetworkSpec, { ops, undo }: Plan): Promise<void> {
  const namespaces = { host: core.host.own };
  try {
    await execute(core, ops, namespaces);
  } catch (thrown) {
    const { kind, what, hint, reason } = asNetError(thrown, 'network');
    const subject = `parent=${parentedOf(options)?.master}`;
    throw new NetError({ kind, op: 'network', subject, what, hint, reason, cause: thrown });
  }
  const [failure] = await reverse(core, undo, namespaces);
  if (failure !== undefined) throw failure;
}

/** Without the parents that another program has made anew under our name. */
export function stillOurs({ host }: Core, owned: readonly Owned[]): readonly Owned[] {
  const parents = owned.flatMap((one) => (isParent(one) ? [one.name] : []));
  if (parents.length === 0) return owned;
  const { links } = host.observe(host.own, { links: parents });
  const isForeign = (link: LinkState | undefined): boolean =>
    link !== undefined && parseDeviceAlias(link.alias) === undefined;
  return owned.filter((one) => !isParent(one) || !isForeign(links.get(one.name)));
}

function isParent(one: Owned): one is Extract<Owned, { kind: 'link' }> {
  return one.kind === 'link' && (one.link === 'vlan' || one.link === 'dummy');
}

/** Links of others on a parent that we made, which would go with it. */
export function guestsOn({ host, store }: Core, device: string, owned: readonly Owned[]): string[] {
  if (!owned.some((one) => isParent(one) && one.name === device)) return [];
  const { links } = host.observe(host.own, { links: 'all' });
  const index = links.get(device)?.index;
  const here = [...links.values()].filter(
    ({ kind, linkIndex, linkNetnsId, alias }) =>
      linkIndex === index &&
      linkNetnsId === undefined &&
      (kind === 'macvlan' || kind === 'ipvlan' || kind === 'vlan') &&
      parseDeviceAlias(alias) === undefined,
  );
  const pods = store.endpoints.list().filter((row) => row.kind === 'lone' && isOn(row.link.link, device));
  return [...here.map(({ name }) => name), ...pods.map(({ attachment }) => attachment.containerId)];
}

function isOn(link: LoneLink, device: string): boolean {
  return 'dev' in link && 'devNs' in link && link.dev === device && link.devNs !== 'sandbox';
}
