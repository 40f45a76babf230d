import type { Addressing } from '../../drivers/driver.ts';
import { planPorts, portEntries, type Rules } from '../../drivers/rules.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import type { Holder, Listener } from '../../host/host.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { PublishedEntry } from '../../model/firewall.ts';
import { EMPTY_PLAN, joinPlans, type Op, type Plan } from '../../model/op.ts';
import type { EndpointRow, LocalStore } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute } from '../execute.ts';
import type { EndpointRequest } from '../requests.ts';
import { isConmonOf, listens } from './holder.ts';

/** The host ports are the attachment's. Throws NetError `conflict`, naming the holder. Part of a transaction. */
export function claimPorts(store: LocalStore, { mappings }: Rules, owner: Attachment): void {
  for (const { protocol, hostIp = '', hostPort } of mappings) store.ports.take({ protocol, hostIp, hostPort, owner });
}

/**
 * Throws NetError `conflict` where a process of the host listens on one of the ports, and `invalid-config` where an
 * address to publish on is not the host's. The conmon of this very container, which holds the port for podman, is not
 * in the way.
 */
export function assertPortsFree(
  { host }: Core,
  { mappings }: Rules,
  { containerId }: Attachment,
  coming: readonly string[] = [],
): void {
  if (mappings.length === 0) return;
  const wanted = [...new Set(mappings.flatMap(({ hostIp }) => hostIp ?? []))];
  const ports = mappings.map(({ protocol, hostIp, hostPort: port, family }) => ({
    protocol,
    port,
    ...(hostIp === undefined ? {} : { address: hostIp }),
    ...(family === undefined ? {} : { family }),
  }));
  const view = host.observe(host.own, { listeners: ports, ...(wanted.length > 0 ? { addresses: 'all' } : {}) });
  const present = view.addresses.map(({ address }) => address.slice(0, address.lastIndexOf('/')));
  const own = new Set([...present, ...coming]);
  const foreign = wanted.find((address) => !own.has(address) && !address.startsWith('127.'));
  if (foreign !== undefined) throw notOurs(foreign);
  if (view.listeners.length === 0) return;
  const { holders } = host.observe(host.own, { holders: view.listeners.map(({ inode }) => inode) });
  const other = view.listeners.find(({ inode }) => !isConmonOf(holders.get(inode), containerId));
  if (other !== undefined) throw listening(other, holders.get(other.inode));
}

/** The plan that publishes what can be published now, and what waits for another attachment of the container. */
export interface Publishing {
  readonly plan: Plan;
  readonly standby: Pick<EndpointRow, 'standby'>;
}

/** The endpoint's published ports, with hairpin mode on its port: a pod may come back to itself by the host's address. */
export function planPublishing(
  { store }: Core,
  { rules, attachment }: EndpointRequest,
  hostIf: string,
  addressing: Addressing,
): Publishing {
  if (rules === undefined || rules.mappings.length === 0) return { plan: EMPTY_PLAN, standby: {} };
  const { plan, standby } = planOwnPorts(store, rules, attachment, portEntries(rules, addressing));
  if (!rules.options.ports.snat) return { plan, standby };
  const hairpin: Op = { op: 'port.set', ns: 'host', name: hostIf, set: { hairpin: true } };
  return { plan: joinPlans({ ops: [hairpin], undo: [] }, plan), standby };
}

/**
 * A runtime hands the same mappings to each network of a container (podman, nerdctl): the first attachment has them in
 * force, the others stand by. The specification (§3) keeps it from calling for one container in parallel.
 */
export function planOwnPorts(
  store: LocalStore,
  { backend }: Pick<Rules, 'backend'>,
  owner: Attachment,
  entries: readonly PublishedEntry[],
): Publishing {
  const rows = store.ports.partners(owner).flatMap((partner) => publishersOf(store, partner));
  const taken = new Set(rows.flatMap(({ plan }) => plan.ops.flatMap(portsOf)));
  const waiting = entries.filter((entry) => taken.has(portOf(entry)));
  const now = entries.filter((entry) => !waiting.includes(entry));
  const standby = waiting.length === 0 ? {} : { standby: { backend, entries: waiting } };
  return { plan: planPorts(backend, now), standby };
}

/** The ports of an attachment that has gone come into force for those of its container that stood by. */
export async function promotePorts(core: Core, gone: Attachment): Promise<NetError[]> {
  const { host, store } = core;
  const errors: NetError[] = [];
  for (const partner of store.ports.partners(gone)) {
    for (const { standby, ...row } of publishersOf(store, partner)) {
      if (standby === undefined) continue;
      const { plan, standby: still } = planOwnPorts(store, standby, partner, standby.entries);
      if (plan.ops.length === 0) continue;
      try {
        store.transaction(() => store.endpoints.put({ ...row, ...still, plan: joinPlans(row.plan, plan) }));
        await execute(core, plan.ops, { host: host.own });
      } catch (thrown) {
        errors.push(asNetError(thrown, 'DEL'));
      }
    }
  }
  return errors;
}

/** The parts of an attachment that publish ports: the one element's, or portmap's of a chain. */
function publishersOf(store: LocalStore, attachment: Attachment): EndpointRow[] {
  return (['interface', 'portmap'] as const).flatMap((role) => store.endpoints.get(attachment, role) ?? []);
}

function portsOf(op: Op): string[] {
  if (op.op !== 'firewall.add') return [];
  return op.entries.flatMap((entry) => (entry.kind === 'port' ? [portOf(entry)] : []));
}

/** What only one endpoint of a container can have: a port of the host, or one at an address of its own. */
function portOf(entry: PublishedEntry): string {
  if (entry.kind === 'direct') return `direct ${entry.protocol} ${entry.address} ${entry.port}`;
  const { protocol, hostIp = '', hostPort, address } = entry;
  return `${protocol} ${hostIp} ${hostPort} ${address.includes(':') ? 6 : 4}`;
}

function notOurs(address: string): NetError {
  return new NetError({
    kind: 'invalid-config',
    op: 'ports',
    subject: `hostIP ${address}`,
    what: 'it is not an address of this host',
    hint: 'Use one that `ip addr` shows, or leave hostIP out for all of them',
  });
}

function listening({ protocol, port, address }: Listener, holder: Holder | undefined): NetError {
  return new NetError({
    kind: 'conflict',
    op: 'ports',
    subject: `host port ${address === undefined ? '' : `${address} `}${port}/${protocol}`,
    what: listens(holder),
    hint: 'Stop it, or choose another host port',
  });
}
