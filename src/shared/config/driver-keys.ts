import type { Json } from '../model/json.ts';
import { BANDWIDTH_KEYS } from './bandwidth.ts';
import { HOST_ACCESS_KEYS } from './host-access.ts';
import type { InterfaceDriver } from './inside.ts';
import { OVERLAY_ONLY } from './overlay.ts';
import { respell } from './shape.ts';

/** Keys of the packet filter that concern one pod, whatever its interface is. */
const FILTER_KEYS = [
  'ipMasq',
  'ipMasqBackend',
  'nonMasqueradeCIDRs',
  'outboundAddr4',
  'outboundAddr6',
  'firewall',
  'snat',
  'masqAll',
  'proxy6to4',
  'markMasqBit',
  'externalSetMarkChain',
  'conditionsV4',
  'conditionsV6',
  'backend',
];

const BRIDGE_KEYS = [
  'bridge',
  'isGateway',
  'isDefaultGateway',
  'forceAddress',
  'mtu',
  'hairpinMode',
  'promiscMode',
  'vlan',
  'vlanTrunk',
  'preserveDefaultVlan',
  'macspoofchk',
  'spoofGuard',
  'enabledad',
  'ipv6',
  'disableContainerInterface',
  'portIsolation',
  'ipam',
  'ingressPolicy',
  'internal',
  'trustedHostInterfaces',
  'exhaustedStatus',
  'icc',
  ...FILTER_KEYS,
  ...BANDWIDTH_KEYS,
];

/** Keys of every driver whose interface gets addresses. */
const ADDRESS_KEYS = ['ipam', 'exhaustedStatus'];

type Keys = readonly string[];

/** Keys of each driver on a bridge or of another, besides those that all drivers have. */
const INTERFACE_KEYS: Readonly<Record<InterfaceDriver, Keys>> = {
  macvlan: ['master', 'mode', 'mtu', 'bcqueuelen', 'linkInContainer', 'mac', ...HOST_ACCESS_KEYS, ...ADDRESS_KEYS],
  ipvlan: ['master', 'mode', 'flag', 'mtu', 'linkInContainer', ...HOST_ACCESS_KEYS, ...ADDRESS_KEYS],
  vlan: ['master', 'vlanId', 'mtu', 'linkInContainer', ...ADDRESS_KEYS],
  ptp: ['mtu', ...FILTER_KEYS, ...BANDWIDTH_KEYS, ...ADDRESS_KEYS],
  dummy: ADDRESS_KEYS,
  tap: ['multiQueue', 'mtu', 'mac', 'owner', 'group', 'selinuxContext', 'bridge', ...ADDRESS_KEYS],
  'host-device': ['device', 'hwaddr', 'kernelpath', 'pciBusID', ...ADDRESS_KEYS],
  remote: ['plugin', 'options', 'internal', 'firewall', 'backend', 'snat', 'masqAll', 'markMasqBit', ...ADDRESS_KEYS],
};

/** Keys of each driver, besides those that all drivers have: `name`, `dns`, `args` and others. */
export const KEYS_OF = {
  bridge: BRIDGE_KEYS,
  overlay: [...BRIDGE_KEYS, ...OVERLAY_ONLY],
  host: [],
  null: [],
  ...INTERFACE_KEYS,
} satisfies Readonly<Record<string, Keys>>;

export type DriverName = keyof typeof KEYS_OF;

const ALL: Keys = [...new Set(Object.values(KEYS_OF).flat())];

/** Returns true for a driver whose interface is on no bridge of the host. */
export function isInterfaceDriver(driver: string): driver is InterfaceDriver {
  return Object.hasOwn(INTERFACE_KEYS, driver);
}

/** Returns the driver that a configuration names, if there is one of this name. */
export function knownDriver(name: unknown): DriverName | undefined {
  return typeof name === 'string' && Object.hasOwn(KEYS_OF, name) ? (name as DriverName) : undefined;
}

/** The keys that mean something to other drivers only. */
export function foreignKeys(driver: DriverName): Keys {
  const own: Keys = KEYS_OF[driver];
  return ALL.filter((key) => !own.includes(key));
}

/**
 * Returns a configuration as a drop-in name reads it: keys regardless of case, and without those that the plugin of
 * this name does not know, whatever they hold.
 */
export function asDropIn(config: Json, driver: DriverName): Json {
  const own: Keys = KEYS_OF[driver];
  // The names bridge and loopback read each other's keys.
  const foreign = foreignKeys(driver).filter((key) => isInterfaceDriver(driver) || !KEYS_OF.overlay.includes(key));
  const unknown = new Set(foreign.map((key) => key.toLowerCase()));
  const known = Object.entries(config).filter(([key]) => !unknown.has(key.toLowerCase()));
  const spelt = respell(Object.fromEntries(known), [...BRIDGE_KEYS, ...own, 'dns', 'args']);
  if (!isInterfaceDriver(driver)) return spelt;
  // Go reads null as absent, and writes an absent text as an empty one.
  const isGiven = (key: string, value: unknown): boolean => value !== null && !(key === 'bridge' && value === '');
  return Object.fromEntries(Object.entries(spelt).filter(([key, value]) => isGiven(key, value)));
}
