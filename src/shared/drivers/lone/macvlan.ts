import type { MacvlanOptions } from '../../config/macvlan.ts';
import { given } from '../../model/given.ts';
import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';
import { mtuOver, parentOf, parentQuery } from './parent.ts';

/**
 * Driver `macvlan`: each endpoint is one more MAC behind an interface of the host. Its options are those of the
 * reference macvlan plugin.
 */
export function macvlanDriver(options: MacvlanOptions): LoneDriver {
  const { mode, linkInContainer, bcQueueLength } = options;
  const devNs = linkInContainer ? 'sandbox' : 'host';
  return {
    parentNs: devNs,
    announces: true,
    complete: (addressing) => addressing,
    query: (seen, looks) => parentQuery(options, seen, looks),
    describeLink: (view, { ifName, mac, isRequested, alias }) => {
      const parent = parentOf(options, view);
      const link = { kind: 'macvlan', dev: parent.name, devNs, mode, ...given({ bcQueueLength }) } as const;
      // A passthru interface has the MAC of its parent, and another one changes the parent's.
      const isParents = mode === 'passthru' && !isRequested;
      return { ifName, link, ...(isParents ? {} : { mac }), mtu: mtuOver(options, parent), alias };
    },
    describeInside: describeLone,
  };
}
