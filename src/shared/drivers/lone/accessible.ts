import type { HostAccess } from '../../config/host-access.ts';
import type { ParentedOptions } from '../../config/parented.ts';
import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
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
      assertThere(options, view);
      return joinPlans(parent.planNetwork(view, addressing), shim.planNetwork(view, addressing));
    },
  };
}

/** The host's interface can only be planned on a parent that is there. */
function assertThere({ master, made }: ParentedOptions, { links }: View): void {
  if (made === undefined || links.has(master)) return;
  const what = `${master} is not there yet, and the host's interface needs it`;
  throw fault.invalidConfig('network', '-o host_access=true', what, `Make it first, as in ip link add ${master}`);
}

function merged(one: ViewQuery | undefined, other: ViewQuery | undefined): ViewQuery | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const { links: first = [] } = one;
  const { links: second = [] } = other;
  const links = first === 'all' || second === 'all' ? 'all' : [...new Set([...first, ...second])];
  return { ...one, ...other, links };
}
