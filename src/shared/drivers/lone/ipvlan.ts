import type { IpvlanOptions } from '../../config/ipvlan.ts';
import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';
import { mtuOver, parentOf, parentQuery } from './parent.ts';

/**
 * Driver `ipvlan`: the endpoints share the MAC of an interface of the host, and are told apart by their addresses. Its
 * options are those of the reference ipvlan plugin, and `flag`. Mode and flag belong to the parent: the last interface
 * that is made sets them for all.
 */
export function ipvlanDriver(options: IpvlanOptions): LoneDriver {
  const { mode, flag, linkInContainer } = options;
  const devNs = linkInContainer ? 'sandbox' : 'host';
  return {
    parentNs: devNs,
    // In modes l3 and l3s nothing is resolved: the interface has NOARP.
    announces: mode === 'l2',
    complete: (addressing) => addressing,
    query: (seen, looks) => parentQuery(options, seen, looks),
    describeLink: (view, { ifName, alias }) => {
      const parent = parentOf(options, view);
      const link = { kind: 'ipvlan', dev: parent.name, devNs, mode, flag } as const;
      return { ifName, link, mtu: mtuOver(options, parent), alias };
    },
    describeInside: describeLone,
  };
}
