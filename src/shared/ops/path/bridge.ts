import type { Core } from '../../core/core.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { type Addr, formatAddr } from '../../model/addr.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { BRIDGE_CALLS } from '../doctor/rules/kernel.ts';
import { bare } from './ends.ts';
import { filterHops } from './filters.ts';
import { questionText } from './hops.ts';
import { isLost, lose, packetOf, pass, type Walk } from './walk.ts';

/** A packet from one port of a bridge to another. */
export interface Crossing {
  readonly bridge: string;
  /** The sender's. */
  readonly part: Endpoint | undefined;
  readonly source: Addr;
  readonly address: Addr;
}

/** From one port of a bridge to another. */
export async function acrossBridge(walk: Walk, { bridge, part, source, address }: Crossing): Promise<void> {
  const { core, outside, family, question } = walk;
  const other = endpointAt(core, bridge, address);
  if (other === undefined) {
    pass(walk, `bridge ${bridge}`, `nothing on record has ${formatAddr(address)}: it goes to all ports`);
    return;
  }
  const { attachment, link } = other;
  if (isSeparate(part) && link.isolated) {
    lose(walk, `bridge ${bridge}`, 'both ports are separate ("icc": false)', 'publish the port, or set "icc": true');
    return;
  }
  if (!toPort(walk, bridge, link.hostIf)) return;
  pass(walk, `bridge ${bridge}`, `to port ${link.hostIf} of ${attachment.containerId} ${attachment.ifName}`);
  if (outside.sysctls.get(BRIDGE_CALLS[family]) === '1' && core.host.own instanceof LinuxNamespace) {
    const index = outside.links.get(bridge)?.index;
    const on = { name: bridge, ...(index === undefined ? {} : { index }) };
    const packet = packetOf(walk, {
      input: on,
      output: on,
      source: formatAddr(source),
      destination: formatAddr(address),
    });
    walk.hops.push(...(await filterHops(core.host.own, `bridge ${bridge} (br_netfilter)`, packet, 'forwarded')));
  }
  if (!isLost(walk)) arrive(walk, other, question.port);
}

function isSeparate(part: Endpoint | undefined): boolean {
  return (part?.kind === 'cni' || part?.kind === 'docker') && part.link?.isolated === true;
}

export function toPort(walk: Walk, bridge: string, port: string): boolean {
  const state = walk.outside.links.get(port);
  if (state === undefined) lose(walk, `bridge ${bridge}`, `port ${port} is gone`, 'create the container again');
  else if (!state.up) lose(walk, `bridge ${bridge}`, `port ${port} is down`, `ip link set dev ${port} up`);
  else if (state.master !== bridge)
    lose(walk, `bridge ${bridge}`, `${port} is no port of it`, `ip link set dev ${port} master ${bridge}`);
  return !isLost(walk);
}

type Linked = Endpoint & { readonly link: { readonly hostIf: string; readonly isolated?: true } };

export function endpointAt({ store }: Core, device: string, address: Addr): Linked | undefined {
  const text = formatAddr(address);
  const networks = new Set(store.networks.list(device).map(({ name }) => name));
  const all = store.endpoints.list();
  return all.find((part): part is Linked => {
    if (part.kind !== 'cni' && part.kind !== 'docker') return false;
    const isHere = networks.has(part.attachment.network) || part.link?.hostIf === device;
    const own = part.kind === 'cni' ? part.inside.addresses.map((one) => one.address) : part.addresses;
    return isHere && part.link !== undefined && own.some((one) => bare(one) === text);
  });
}

/** Looks at the target's own interface, and for a listener. */
export function arrive(walk: Walk, part: Linked, port: number | undefined): void {
  const { core, question } = walk;
  const at = `container ${part.attachment.containerId}`;
  const { path } = part.sandbox;
  if (part.kind !== 'cni' || path === '') {
    pass(walk, at, 'receives it');
    return;
  }
  try {
    using sandbox = core.host.open(path);
    const { ifName } = part.attachment;
    const link = core.host.observe(sandbox, { links: [ifName] }).links.get(ifName);
    if (link === undefined) lose(walk, at, `its interface ${ifName} is gone`, 'create the container again');
    else if (!link.up)
      lose(walk, at, `its interface ${ifName} is down`, `nsenter --net=${path} ip link set dev ${ifName} up`);
    else
      pass(
        walk,
        at,
        `receives it by ${ifName}${port === undefined ? '' : ` (${questionText({ ...question, port })})`}`,
      );
  } catch {
    lose(walk, at, `its namespace ${path} is gone`, 'remove the container in its runtime');
  }
}
