import type { Addressing } from '../drivers/driver.ts';
import { planPorts, portEntries, type Rules } from '../drivers/rules.ts';
import { NetError } from '../errors/net-error.ts';
import type { Listener } from '../host/host.ts';
import type { Attachment } from '../model/attachment.ts';
import { joinPlans, type Plan } from '../model/op.ts';
import type { LocalStore } from '../store/store.ts';
import type { Core } from './core.ts';
import type { EndpointRequest } from './requests.ts';

/** The host ports are the attachment's. Throws NetError `conflict`, naming the holder. Part of a transaction. */
export function claimPorts(store: LocalStore, { mappings }: Rules, owner: Attachment): void {
  for (const { protocol, hostIp = '', hostPort } of mappings) store.ports.take({ protocol, hostIp, hostPort, owner });
}

/**
 * Throws NetError `conflict` where a process of the host listens on one of the ports, and `invalid-config` where an
 * address to publish on is not the host's. A process that holds the port for this very container (podman's conmon) is
 * not in the way.
 */
export function assertPortsFree({ host }: Core, { mappings }: Rules, { containerId }: Attachment): void {
  if (mappings.length === 0) return;
  const wanted = [...new Set(mappings.flatMap(({ hostIp }) => hostIp ?? []))];
  const ports = mappings.map(({ protocol, hostIp, hostPort: port, family }) => ({
    protocol,
    port,
    ...(hostIp === undefined ? {} : { address: hostIp }),
    ...(family === undefined ? {} : { family }),
  }));
  const view = host.observe(host.own, { listeners: ports, ...(wanted.length > 0 ? { addresses: 'all' } : {}) });
  const own = new Set(view.addresses.map(({ address }) => address.slice(0, address.lastIndexOf('/'))));
  const foreign = wanted.find((address) => !own.has(address) && !address.startsWith('127.'));
  if (foreign !== undefined) throw notOurs(foreign);
  const holder = view.listeners.find(({ command }) => !command.includes(containerId));
  if (holder !== undefined) throw listening(holder);
}

/** The endpoint's published ports, with hairpin mode on its port: a pod may come back to itself by the host's address. */
export function planPublishing({ rules }: EndpointRequest, hostIf: string, addressing: Addressing): Plan {
  if (rules === undefined || rules.mappings.length === 0) return { ops: [], undo: [] };
  const published = planPorts(rules.backend, portEntries(rules, addressing));
  if (!rules.options.ports.snat) return published;
  return joinPlans(
    { ops: [{ op: 'port.set', ns: 'host', name: hostIf, set: { hairpin: true } }], undo: [] },
    published,
  );
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

function listening({ protocol, port, address, process }: Listener): NetError {
  return new NetError({
    kind: 'conflict',
    op: 'ports',
    subject: `host port ${address === undefined ? '' : `${address} `}${port}/${protocol}`,
    what: `${process} listens on it`,
    hint: 'Stop it, or choose another host port',
  });
}
