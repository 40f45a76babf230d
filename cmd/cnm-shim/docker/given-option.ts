import { nearest } from '../../../src/shared/config/nearest.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';

const DRIVERS = ['bridge', 'null', 'overlay', 'macvlan', 'ipvlan', 'cni'] as const;
export type DriverName = (typeof DRIVERS)[number];

/** An option as the user gave it. */
export interface Given {
  readonly key: string;
  readonly value: string;
}

/** NetError `invalid-config`: `network -o mtu=x: <what>. <hint>`. */
export function refusedOption({ key, value }: Given, what: string, hint: string): NetError {
  return fault.invalidConfig('network', `-o ${key}=${value}`, what, hint);
}

/** Default: `bridge`. Throws NetError for any other name. */
export function driverNamed(given: Given | undefined): DriverName {
  const found = DRIVERS.find((name) => name === (given?.value ?? 'bridge'));
  if (found !== undefined) return found;
  const { key, value } = given ?? { key: 'driver', value: '' };
  if (value === 'host') {
    const what = "a container in the host's network has no network of its own to make";
    const hint = 'Use "docker run --network host" instead';
    throw fault.unsupportedField('network', `-o ${key}=${value}`, what, hint);
  }
  const meant = nearest(value, DRIVERS);
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}Drivers are ${DRIVERS.join(', ')}`;
  throw refusedOption({ key, value }, 'it is not a driver', hint);
}
