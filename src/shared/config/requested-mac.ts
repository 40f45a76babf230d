import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { field, type Json } from '../model/json.ts';
import { isUnicastMac, parseMac } from '../model/mac.ts';
import type { DriverName } from './driver-keys.ts';
import { invalid, show } from './invalid.ts';

export interface MacInput {
  readonly config: Json;
  readonly driver: DriverName;
  /** NetconfInput.strict. */
  readonly strict: boolean;
  /** MAC of CNI_ARGS. */
  readonly fromArgs?: string | undefined;
}

/** Drivers with a key `mac`. */
const WITH_KEY: readonly DriverName[] = ['macvlan', 'tap'];

/** Drivers whose reference plugins read no MAC address from anywhere. */
const DEAF: readonly DriverName[] = ['ipvlan', 'vlan', 'ptp', 'dummy', 'host-device'];

/** Drivers whose interfaces cannot have a MAC address of their own: why, and what to do instead. */
const FIXED: Readonly<Partial<Record<DriverName, readonly [what: string, hint: string]>>> = {
  ipvlan: ['an ipvlan interface has the MAC address of its parent', 'Remove it, or use driver "macvlan"'],
  'host-device': ['a device of the host keeps its MAC address', 'Remove it, or chain the plugin tuning'],
};

/**
 * Returns the MAC address that a configuration asks for: runtimeConfig.mac, args.cni.mac, CNI_ARGS MAC, `mac`, in this
 * order. A drop-in name ignores the request where its reference plugin does. Throws NetError `invalid-config`
 * (`bad-environment` for CNI_ARGS) for an address that the interface cannot have.
 */
export function requestedMac({ config, driver, strict, fromArgs }: MacInput): string | undefined {
  if (!strict && DEAF.includes(driver)) return undefined;
  const places: readonly (readonly [path: string, value: unknown])[] = [
    ['.runtimeConfig.mac', field(field(config, 'runtimeConfig'), 'mac')],
    ['.args.cni.mac', field(field(field(config, 'args'), 'cni'), 'mac')],
    ['CNI_ARGS MAC', fromArgs],
    ['.mac', WITH_KEY.includes(driver) ? field(config, 'mac') : undefined],
  ];
  const found = places.find(([, value]) => value !== undefined && value !== '');
  if (found === undefined) return undefined;
  const [path, value] = found;
  const fixed = FIXED[driver];
  if (fixed !== undefined) throw wrongMac(path, value, ...fixed);
  const mac = typeof value === 'string' ? parseMac(value) : undefined;
  if (mac === undefined) throw wrongMac(path, value, 'is no MAC address', 'Write six bytes: 0a:58:0a:16:00:07');
  if (isUnicastMac(mac)) return mac;
  throw wrongMac(path, value, 'is a group address or zero, which no interface can have', 'Make its first byte even');
}

/** CNI has a separate error code for values from the environment. */
function wrongMac(path: string, value: unknown, what: string, hint: string): NetError {
  if (!path.startsWith('CNI_ARGS')) return invalid(path, value, what, hint);
  return fault.badEnvironment('environment', `${path}=${show(value)}`, what, hint);
}
