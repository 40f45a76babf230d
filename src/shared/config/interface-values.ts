import { field, type Json, textField } from '../model/json.ts';
import { ifNameFault } from '../model/link.ts';
import { invalid } from './invalid.ts';

/** IPv4 needs 68 bytes (RFC 791); most drivers of the kernel accept no less (ETH_MIN_MTU in linux/if_ether.h). */
const MIN_MTU = 68;
/** ETH_MAX_MTU in linux/if_ether.h. */
export const MAX_MTU = 0xffff;

/** Returns the key `mtu` in bytes; undefined without it, and for 0. Throws NetError `invalid-config` outside 68 to `max`. */
export function readMtu(config: Json, max = MAX_MTU): number | undefined {
  const mtu = field(config, 'mtu');
  if (typeof mtu !== 'number' || mtu === 0) return undefined;
  if (mtu >= MIN_MTU && mtu <= max) return mtu;
  throw invalid('.mtu', mtu, `an MTU here has ${MIN_MTU} to ${max} bytes`, 'Use 0 for the default');
}

/** Returns a key that names an interface; undefined without it. Throws NetError `invalid-config`. */
export function readIfName(config: Json, key: string): string | undefined {
  const name = textField(config, key);
  if (name === undefined) return undefined;
  const wrong = ifNameFault(name);
  if (wrong === undefined) return name;
  throw invalid(`.${key}`, name, `it ${wrong}`, 'Give a name like eth0');
}

/** Returns a key with a few values; the first of them without it. Throws NetError `invalid-config` for any other. */
export function readChoice<T extends string>(config: Json, key: string, values: readonly [T, ...T[]]): T {
  const value = textField(config, key);
  if (value === undefined) return values[0];
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  const list = values.map((known) => JSON.stringify(known)).join(', ');
  throw invalid(`.${key}`, value, 'it is not known here', `Choose among ${list}`);
}

/** Returns a key with a whole number of a valid shape; undefined without it. */
export function readNumber(config: Json, key: string): number | undefined {
  const value = field(config, key);
  return typeof value === 'number' ? value : undefined;
}

/** Returns true if a key is true. */
export function readFlag(config: Json, key: string): boolean {
  return field(config, key) === true;
}
