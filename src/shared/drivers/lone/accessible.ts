import type { HostAccess } from '../../config/host-access.ts';
import type { ParentedOptions } from '../../config/parented.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import type { LinkState } from '../../model/link.ts';
import { joinPlans } from '../../model/op.ts';
import type { ParentedDriver } from '../driver.ts';
import { parentedDriver } from './parented.ts';
import { shimDriver } from './shim.ts';

/** A network on a parent that the host has access to: the parent carries it, and the host's interface goes with it. */
export function accessibleDriver(
  options: ParentedOptions & { readonly hostAccess: HostAccess },
  network: string,
): ParentedDriver {
  const parent = parentedDriver(options, network);
  const shim = shimDriver(options, network);
  return {
    ...parent,
    query: (seen, addressing) => merged(parent.query(seen, addressing), shim.query(seen, addressing)),
    planNetwork: (view, addressing) => {
      const made = parent.planNetwork(view, addressing);
      return joinPlans(made, shim.planNetwork(withParent(options, view), addressing));
    },
  };
}

/** The view after the parent was made: a VLAN has MAC and MTU of what it is on. */
function withParent({ master, made }: ParentedOptions, view: View): View {
  const base = made?.kind === 'vlan' && !view.links.has(master) ? view.links.get(made.dev) : undefined;
  if (base === undefined) return view;
  const { alias: _alias, master: _master, port: _port, linkIndex: _link, ...link } = base;
  const vlan: LinkState = { ...link, name: master, kind: 'vlan', index: UNKNOWN, linkIndex: base.index };
  return { ...view, links: new Map([...view.links, [master, vlan]]) };
}

/** Index of a link that is not there yet. */
const UNKNOWN = -1;

function merged(one: ViewQuery | undefined, other: ViewQuery | undefined): ViewQuery | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const { links: first = [] } = one;
  const { links: second = [] } = other;
  const links = first === 'all' || second === 'all' ? 'all' : [...new Set([...first, ...second])];
  return { ...one, ...other, links };
}
