import type { VlanOptions } from '../../config/vlan.ts';
import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';
import { mtuOver, parentOf, parentQuery } from './parent.ts';

/** Driver `vlan`: an endpoint is a VLAN of an interface of the host. Its options are those of the reference vlan plugin. */
export function vlanDriver(options: VlanOptions): LoneDriver {
  const { vlanId: id, linkInContainer } = options;
  const devNs = linkInContainer ? 'sandbox' : 'host';
  return {
    parentNs: devNs,
    announces: true,
    complete: (addressing) => addressing,
    query: (seen, looks) => parentQuery(options, seen, looks),
    // It has the MAC of its parent.
    describeLink: (view, { ifName, alias }) => {
      const parent = parentOf(options, view);
      return { ifName, link: { kind: 'vlan', dev: parent.name, devNs, id }, mtu: mtuOver(options, parent), alias };
    },
    describeInside: describeLone,
  };
}
