import type { Core } from '../../../../src/shared/core/core.ts';
import { execute } from '../../../../src/shared/core/execute.ts';
import { TABLES_QUERY } from '../../../../src/shared/drivers/tables.ts';
import { asNetError } from '../../../../src/shared/errors/net-error.ts';
import type { Host, Namespace, View } from '../../../../src/shared/host/host.ts';
import type { ListedEndpoint, ListedInterface } from '../../../../src/shared/model/chain.ts';
import type { LinkState } from '../../../../src/shared/model/link.ts';
import type { Op } from '../../../../src/shared/model/op.ts';
import { pluginsOf } from './list-network.ts';

/**
 * The namespace that the plugins of a list work in: Docker tells no namespace at CreateEndpoint, when the addresses have to be
 * chosen. The interface is there until Join, and again for DEL.
 */
const NETNS_DIR = '/run/netns';

/** The interface's name in the namespace. */
export const HELD_NAME = 'eth0';

/** Where the plugins of an endpoint work. */
export function holdingPath(endpointId: string): string {
  return `${NETNS_DIR}/isth-${endpointId.slice(0, 12)}`;
}

/** Observes the namespace at `path`; returns undefined if it does not exist. */
export function viewAt(core: Core, path: string): View | undefined {
  using ns = opened(core, path);
  return ns && core.host.observe(ns, { ...TABLES_QUERY, addresses: 'all' });
}

/** True if a namespace is at the path. */
export function isThere(host: Host, path: string): boolean {
  using ns = opened({ host }, path);
  return ns !== undefined;
}

/** Undefined if no namespace is at the path. */
export function opened({ host }: Pick<Core, 'host'>, path: string): Namespace | undefined {
  try {
    return host.open(path);
  } catch {
    return undefined;
  }
}

/** Moves the interface to the host's namespace, where dockerd takes it. False if it is nowhere. */
export async function handOver(core: Core, { attachment, netns }: ListedEndpoint): Promise<boolean> {
  using sandbox = opened(core, netns);
  if (sandbox !== undefined && core.host.observe(sandbox, { links: [HELD_NAME] }).links.has(HELD_NAME)) {
    const toName = attachment.ifName;
    const move: Op = { op: 'link.move', ns: 'sandbox', name: HELD_NAME, to: 'host', toName };
    await execute(core, [move], { host: core.host.own, sandbox });
    return true;
  }
  return core.host.observe(core.host.own, { links: [attachment.ifName] }).links.has(attachment.ifName);
}

/**
 * Moves the interface back to its namespace, with its addresses: plugins read there what they delete. Creates the namespace
 * if it is gone. False if the interface is nowhere. Throws NetError if that fails.
 */
export async function takeBack(core: Core, { attachment, netns, link }: ListedEndpoint): Promise<boolean> {
  const plugins = await pluginsOf(core);
  if (!isThere(core.host, netns)) {
    await plugins.deleteNamespace(netns);
    await plugins.makeNamespace(netns);
  }
  using sandbox = core.host.open(netns);
  if (core.host.observe(sandbox, { links: [HELD_NAME] }).links.has(HELD_NAME)) return true;
  const found = returned(core, attachment.ifName, link);
  if (found === undefined) return false;
  const addresses = link?.addresses ?? [];
  const ops: Op[] = [
    { op: 'link.move', ns: 'host', name: found.name, to: 'sandbox', toName: HELD_NAME },
    { op: 'link.set', ns: 'sandbox', name: HELD_NAME, set: { up: true } },
  ];
  const namespaces = { host: core.host.own, sandbox };
  await execute(core, ops, namespaces);
  const back = addresses.map(
    (address): Op => ({ op: 'addr.add', ns: 'sandbox', dev: HELD_NAME, address, noDad: true }),
  );
  try {
    await execute(core, back, namespaces);
  } catch (thrown) {
    // DEL can do more with the interface than without it.
    core.log.warn('docker.netns', { netns, error: asNetError(thrown, 'DEL').message });
  }
  return true;
}

/**
 * The interface in the host's namespace: by the name that dockerd gives back, or by its alias and MAC. The kernel moves
 * hardware to the host when a container's namespace dies, under any name.
 */
function returned({ host }: Core, name: string, made: ListedInterface | undefined): LinkState | undefined {
  const named = host.observe(host.own, { links: [name] }).links.get(name);
  const { alias = '', mac, permMac } = made ?? {};
  if (named !== undefined || alias === '') return named;
  const isSame = (link: LinkState): boolean => (permMac === undefined ? link.mac === mac : link.permMac === permMac);
  const { links } = host.observe(host.own, { links: 'all' });
  return [...links.values()].find((link) => link.alias === alias && isSame(link));
}
