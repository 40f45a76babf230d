import { unassignable } from '../../../src/shared/config/ipam-values.ts';
import { LIMITS } from '../../../src/shared/config/limits.ts';
import { nearest } from '../../../src/shared/config/nearest.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { type Addr, BITS, type Family, parseAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import { ifNameFault, MAX_IFNAME } from '../../../src/shared/model/link.ts';
import type { GatewayMode } from '../../../src/shared/store/store.ts';
import { type DriverName, driverNamed, type Given, refusedOption } from './given-option.ts';
import { LIST_KEYS, type ListChoice, listChoice } from './lists/list-options.ts';
import { OVERLAY_KEYS, type OverlayChoice, overlayChoice } from './overlay-options.ts';
import { PARENT_KEYS, type ParentChoice, parentChoice } from './parent-options.ts';
import type { NetworkOptions, TextMap } from './wire/messages.ts';

/** The user's `-o` options, typed; absent means not given. */
export interface DockerOptions {
  readonly driver: DriverName;
  /** With driver `cni`. */
  readonly list?: ListChoice;
  /** With driver `overlay`. An absent option has the value of the cluster's network. */
  readonly overlay?: OverlayChoice;
  /** With drivers `macvlan` and `ipvlan`. */
  readonly parented?: ParentChoice;
  /** The Network to share with others. */
  readonly network?: string;
  readonly bridge?: string;
  readonly mtu?: number;
  readonly macspoofchk?: boolean;
  readonly spoofGuard?: boolean;
  /** Relays IPv6 connections to containers that have IPv4 only. */
  readonly proxy6to4?: boolean;
  readonly masquerade?: boolean;
  readonly icc?: boolean;
  readonly inhibit4?: boolean;
  readonly mode: Readonly<Partial<Record<Family, GatewayMode>>>;
  /** Source addresses of traffic that leaves the host. */
  readonly source: Readonly<Partial<Record<Family, Addr>>>;
  /** `0.0.0.0` means all addresses. */
  readonly hostBinding?: Addr;
  readonly ifPrefix?: string;
  /** Interfaces of the host by which published ports are reached at the containers' own addresses. */
  readonly trusted?: readonly string[];
}

/** Docker's own names of the options. */
export const DOCKER_KEYS = {
  bridge: 'com.docker.network.bridge.name',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  icc: 'com.docker.network.bridge.enable_icc',
  inhibit4: 'com.docker.network.bridge.inhibit_ipv4',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  mode4: 'com.docker.network.bridge.gateway_mode_ipv4',
  mode6: 'com.docker.network.bridge.gateway_mode_ipv6',
  trusted: 'com.docker.network.bridge.trusted_host_interfaces',
  mtu: 'com.docker.network.driver.mtu',
  source4: 'com.docker.network.host_ipv4',
  source6: 'com.docker.network.host_ipv6',
  ifPrefix: 'com.docker.network.container_iface_prefix',
} as const;

/** Our own options. A CNI option that Docker has another name for is accepted under both names. */
export const OWN_KEYS = [
  'driver',
  'network',
  'bridge',
  'mtu',
  'icc',
  'ipMasq',
  'macspoofchk',
  'spoofGuard',
  'proxy6to4',
  ...OVERLAY_KEYS,
  ...PARENT_KEYS,
  ...LIST_KEYS,
] as const;
/** Every Docker version may add options with this prefix: unknown ones are ignored. */
const DOCKER_PREFIX = 'com.docker.network.';
const MODES: readonly GatewayMode[] = ['nat', 'nat-unprotected', 'routed', 'isolated'];
/** Smallest MTU that IPv4 works with (RFC 791), and the largest that a veth has. */
const [MIN_MTU, MAX_MTU] = [68, 65_535];
/** Leaves room for a number of three digits. */
export const MAX_PREFIX = MAX_IFNAME - 3;

/**
 * Decodes the options of CreateNetwork. Throws NetError `invalid-config` that names key, value and rule, and
 * `unsupported-field` for a driver that only Docker itself provides.
 */
export function parseOptions(generic: TextMap): DockerOptions {
  for (const key of Object.keys(generic)) assertKnown(key, generic);
  const bridge = pick(generic, DOCKER_KEYS.bridge, 'bridge');
  const mtu = pick(generic, DOCKER_KEYS.mtu, 'mtu');
  const network = pick(generic, 'network');
  const ifPrefix = pick(generic, DOCKER_KEYS.ifPrefix);
  const hostBinding = pick(generic, DOCKER_KEYS.hostBinding);
  const trusted = trustedIn(pick(generic, DOCKER_KEYS.trusted));
  const size = mtu && mtuOf(mtu);
  const driver = driverNamed(pick(generic, 'driver'));
  const parented = parentChoice(generic, driver);
  const overlay = overlayChoice(generic, driver);
  const list = listChoice(generic, driver);
  return {
    driver,
    ...given({ overlay, parented, list }),
    ...(network === undefined ? {} : { network: networkNamed(network) }),
    ...(bridge === undefined ? {} : { bridge: interfaceName(bridge, MAX_IFNAME) }),
    ...(size ? { mtu: size } : {}),
    ...flag(generic, 'macspoofchk', 'macspoofchk'),
    ...flag(generic, 'spoofGuard', 'spoofGuard'),
    ...flag(generic, 'proxy6to4', 'proxy6to4'),
    ...flag(generic, 'masquerade', DOCKER_KEYS.masquerade, 'ipMasq'),
    ...flag(generic, 'icc', DOCKER_KEYS.icc, 'icc'),
    ...flag(generic, 'inhibit4', DOCKER_KEYS.inhibit4),
    mode: { ...mode(generic, 4, DOCKER_KEYS.mode4), ...mode(generic, 6, DOCKER_KEYS.mode6) },
    source: { ...source(generic, 4, DOCKER_KEYS.source4), ...source(generic, 6, DOCKER_KEYS.source6) },
    ...(hostBinding === undefined ? {} : { hostBinding: address(hostBinding, 4) }),
    ...(ifPrefix === undefined ? {} : { ifPrefix: interfaceName(ifPrefix, MAX_PREFIX) }),
    ...(trusted.length === 0 ? {} : { trusted }),
  };
}

/** Options of Docker's that dockerd itself honours. */
const DOCKERDS = ['com.docker.network.advertise_addr_nmsgs', 'com.docker.network.advertise_addr_ms'];

/** The options of Docker's that mean nothing here. */
export function ignoredOptions(generic: TextMap): string[] {
  const known: readonly string[] = [...Object.values(DOCKER_KEYS), ...DOCKERDS];
  return Object.keys(generic).filter((key) => key.startsWith(DOCKER_PREFIX) && !known.includes(key));
}

/** Throws NetError `invalid-config` for a network with neither family, as Docker's bridge does. */
export function assertFamilies({ enableIPv4, enableIPv6 }: NetworkOptions, { driver }: DockerOptions): void {
  if (enableIPv4 || enableIPv6 || driver === 'null' || driver === 'cni') return;
  const what = 'IPv4 or IPv6 must be enabled: containers would have no address';
  throw fault.invalidConfig('network', '--ipv4=false', what, 'Add --ipv6, or -o driver=null for no network');
}

/** Validates a Network's name, with CNI's rule. Throws NetError `invalid-config`. */
export function networkNamed(given: Given, flagName = '-o'): string {
  const { key, value } = given;
  if (value.length <= 128 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value)) return value;
  const hint = 'Start with a letter or digit; then letters, digits, "_", "." and "-"; 128 characters at most';
  const subject = `${flagName} ${key}=${value}`;
  throw fault.invalidConfig('network', subject, 'it is not a network name', hint);
}

function assertKnown(key: string, generic: TextMap): void {
  if (key.startsWith(DOCKER_PREFIX) || OWN_KEYS.some((known) => known === key)) return;
  const meant = nearest(key, OWN_KEYS) ?? nearest(key.split('.').at(-1) ?? '', OWN_KEYS);
  const known = `Known are ${OWN_KEYS.join(', ')}, and Docker's own (${DOCKER_KEYS.bridge} and the like)`;
  const hint = meant === undefined ? known : `Did you mean ${meant}? ${known}`;
  throw refusedOption({ key, value: generic[key] ?? '' }, 'it is not an option of this driver', hint);
}

/** The value given under one of several names. An empty value counts as absent. */
function pick(generic: TextMap, ...keys: readonly string[]): Given | undefined {
  const [first, second] = keys.flatMap((key): Given[] => {
    const value = generic[key];
    return value === undefined || value === '' ? [] : [{ key, value }];
  });
  if (first !== undefined && second !== undefined && first.value !== second.value) {
    throw refusedOption(first, `${second.key}=${second.value} contradicts it`, 'Give one of them');
  }
  return first;
}

function mtuOf(given: Given): number {
  const mtu = /^\d{1,5}$/.test(given.value) ? Number(given.value) : -1;
  if (mtu === 0 || (mtu >= MIN_MTU && mtu <= MAX_MTU)) return mtu;
  throw refusedOption(given, 'it is not an MTU', `Give ${MIN_MTU} to ${MAX_MTU} bytes, or 0 for the default`);
}

/** The kernel's rules for interface names, with a lower length limit where a suffix follows. */
function interfaceName(given: Given, longest: number): string {
  const wrong = ifNameFault(given.value, longest);
  if (wrong === undefined) return given.value;
  throw refusedOption(given, `it ${wrong}`, `Give a name of 1 to ${longest} bytes, like isth0`);
}

/** `eth0:vxlan.1`; Docker skips empty names. */
function trustedIn(given: Given | undefined): string[] {
  const names = [...new Set((given?.value ?? '').split(':').filter((name) => name !== ''))];
  if (given === undefined) return names;
  for (const name of names) {
    const wrong = ifNameFault(name);
    if (wrong === undefined) continue;
    const what = `${JSON.stringify(name)} ${wrong}`;
    throw refusedOption(given, what, 'Give names of interfaces with ":" in between, as in eth0:vxlan.1');
  }
  if (names.length <= LIMITS.trusted) return names;
  throw refusedOption(given, `it names ${names.length} interfaces`, `Give ${LIMITS.trusted} at most`);
}

/** Parses like Go's strconv.ParseBool, which Docker uses for its options, and accepts on and off. */
function flag<Name extends string>(
  generic: TextMap,
  name: Name,
  ...keys: readonly string[]
): { [key in Name]?: boolean } {
  const given = pick(generic, ...keys);
  if (given === undefined) return {};
  const isTrue = /^(1|t|T|true|TRUE|True|on)$/.test(given.value);
  if (!isTrue && !/^(0|f|F|false|FALSE|False|off)$/.test(given.value)) {
    throw refusedOption(given, 'it is neither true nor false', 'Give true or false');
  }
  return { [name]: isTrue } as { [key in Name]: boolean };
}

function mode(generic: TextMap, family: Family, key: string): DockerOptions['mode'] {
  const given = pick(generic, key);
  if (given === undefined) return {};
  const found = MODES.find((name) => name === given.value);
  if (found !== undefined) return { [family]: found };
  const meant = nearest(given.value, MODES);
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}Modes are ${MODES.join(', ')}`;
  throw refusedOption(given, 'it is not a gateway mode', hint);
}

function source(generic: TextMap, family: Family, key: string): DockerOptions['source'] {
  const given = pick(generic, key);
  if (given === undefined) return {};
  const addr = address(given, family);
  const what = unassignable({ addr, length: BITS[family] });
  if (what === undefined) return { [family]: addr };
  throw refusedOption(given, what, 'Give an address of this host');
}

function address(given: Given, family: Family): Addr {
  const addr = parseAddr(given.value);
  if (addr?.family === family) return addr;
  throw refusedOption(
    given,
    `it is not an IPv${family} address`,
    `Give one as in ${family === 4 ? '192.0.2.7' : '2001:db8::7'}`,
  );
}
