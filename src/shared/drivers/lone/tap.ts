import type { TapOptions } from '../../config/tap.ts';
import { given } from '../../model/given.ts';
import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';

/** Driver `tap`: an interface whose other end a program opens, such as a virtual machine's. */
export function tapDriver({ multiQueue, mtu, owner, group, bridge: master }: TapOptions): LoneDriver {
  return {
    parentNs: 'sandbox',
    announces: true,
    complete: (addressing) => addressing,
    query: () => undefined,
    describeLink: (_, { ifName, mac, alias }) => {
      const link = { kind: 'tap', ...given({ owner, group }), ...(multiQueue ? { multiQueue } : {}) } as const;
      return { ifName, link, mac, ...given({ mtu, master }), alias };
    },
    describeInside: describeLone,
  };
}
