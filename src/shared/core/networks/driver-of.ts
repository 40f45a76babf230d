import type { NetworkSpec } from '../../config/network-spec.ts';
import { bridgeDriver } from '../../drivers/bridge/bridge.ts';
import type { Addressing, Assigned, Driver } from '../../drivers/driver.ts';
import { given } from '../../model/given.ts';

/** The driver that plans the Network and its endpoints; undefined if it has no device (null). */
export function driverOf(options: NetworkSpec['options'], network: string): Driver | undefined {
  return options.driver === 'bridge' ? bridgeDriver(options, network) : undefined;
}

/** Addressing of the Network itself: the first subnet of each range set, with its gateway if it has one. */
export function networkAddressing({ ranges, routes }: NetworkSpec): Addressing {
  const addresses = ranges.flatMap(([first]): Assigned[] => {
    if (first === undefined) return [];
    const { subnet: address, gateway } = first;
    return [{ address, ...given({ gateway }) }];
  });
  return { addresses, routes };
}
