import type { NetworkSpec } from '../../config/network-spec.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import type { Addressing, Assigned, Driver } from '../../drivers/driver.ts';
import { parsePrefix } from '../../model/prefix.ts';

/** The driver that plans the Network and its endpoints; undefined if it has no device (null). */
export function driverOf(options: NetworkSpec['options'], network: string): Driver | undefined {
  return options.driver === 'bridge' ? bridgeDriver(options, network) : undefined;
}

/** Addressing of the Network itself: the first subnet of each range set, with its gateway if it has one. */
export function networkAddressing({ ranges, routes }: NetworkSpec): Addressing {
  const addresses = ranges.flatMap(([first]): Assigned[] => {
    const address = parsePrefix(first?.subnet ?? '');
    if (address === undefined) return [];
    return [{ address, ...(first?.gateway === undefined ? {} : { gateway: first.gateway }) }];
  });
  return { addresses, routes };
}
