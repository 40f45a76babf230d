import { fault } from '../../errors/fault.ts';
import type { Namespace, View, ViewQuery } from '../../host/host.ts';
import { type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { InterfaceReport } from '../driver.ts';

/** Query for the host driver's report: everything, because the sandbox is the host. */
export const HOST_QUERY: ViewQuery = { links: 'all', addresses: 'all' };

/** Throws NetError `invalid-namespace` unless the sandbox is the host's own namespace. */
export function assertHostNamespace(sandbox: Namespace, own: Namespace): void {
  if (sandbox.id === own.id) return;
  throw fault.invalidNamespace(
    'host',
    `CNI_NETNS=${sandbox.path}`,
    "the host driver shares the host's network, but this is a namespace of its own",
    'Start the container in the host network namespace, or choose driver "bridge"',
  );
}

/** The interfaces that have addresses, in the kernel's order, without loopback. */
export function reportHost(view: View): { interfaces: InterfaceReport[]; addresses: [string, Prefix][] } {
  const links = [...view.links.values()].filter((link) => !link.loopback).sort((a, b) => a.index - b.index);
  const interfaces = links.map(({ name, mac, mtu }) => ({ name, mac, mtu, inSandbox: true }));
  const names = new Set(links.map(({ name }) => name));
  const own = view.addresses.filter((state) => names.has(state.dev) && state.scope === 'global');
  return { interfaces, addresses: placedAddresses(own) };
}

/** Device and address of each. */
export function placedAddresses(states: View['addresses']): [string, Prefix][] {
  return states.flatMap(({ dev, address }): [string, Prefix][] => {
    const prefix = parsePrefix(address);
    return prefix === undefined ? [] : [[dev, prefix]];
  });
}
