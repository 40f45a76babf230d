import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import { digest } from '../model/attachment.ts';
import { field, isObject, type Json, textOf } from '../model/json.ts';
import { ifNameFault, MAX_IFNAME } from '../model/link.ts';
import type { VlanRange } from '../model/op.ts';

/** Options of the bridge driver; names and defaults are the reference bridge plugin's, except for the last two. */
export interface BridgeOptions {
  readonly driver: 'bridge';
  /** Name of the bridge; created if missing. */
  readonly bridge: string;
  /** The bridge has the gateway addresses and the host forwards. */
  readonly isGateway: boolean;
  /** Implies isGateway; adds a default route through the gateway for each family without one. */
  readonly isDefaultGateway: boolean;
  /** Replaces a conflicting address on the bridge instead of refusing. */
  readonly forceAddress: boolean;
  /** Bytes; absent: the MTU of the default route's interface, or of the bridge if it exists. */
  readonly mtu?: number;
  readonly hairpin: boolean;
  readonly promisc: boolean;
  /** Untagged VLAN of the port (PVID). */
  readonly vlan?: number;
  /** Tagged VLANs of the port. */
  readonly trunk: readonly VlanRange[];
  readonly preserveDefaultVlan: boolean;
  readonly macspoofchk: boolean;
  /** No port carries what only another endpoint, a router or a DHCP server may send. */
  readonly spoofGuard?: true;
  readonly enabledad: boolean;
  readonly disableContainerInterface: boolean;
  readonly portIsolation: boolean;
  /** With `portIsolation`: by the kernel's flag of each port, on a kernel whose packet filter cannot do it. */
  readonly isolatesByFlag?: true;
  /**
   * A bridge that we create sends no frame of its own: it has no link-local address but the one that its IPv6 gateway
   * needs.
   */
  readonly isQuiet?: true;
  /**
   * Addresses of the host besides the gateways, `10.1.0.7/16`: it talks to the network by these, and the gateways make
   * no route.
   */
  readonly hostAddresses?: readonly string[];
  /** Announces the IPv4 gateway to endpoints without assigning it to the bridge. Docker's inhibit_ipv4. */
  readonly inhibit4?: true;
  /** Families with a gateway; the bridge has no host address of any other. Default: both. */
  readonly gatewayFamilies?: readonly Family[];
  /**
   * IPv6 on the endpoint's interface. Default: `on` if the built-in IPAM gives it an IPv6 address, `off` if it gives
   * only others; as `reference` without the built-in IPAM. `reference`: as the reference plugin leaves it, which accepts
   * router advertisements.
   */
  readonly ipv6?: 'on' | 'off' | 'reference';
}

/** Minimum MTU for IPv4 (RFC 791) and IPv6 (RFC 8200 §5). */
const MIN_MTU = 68;

/**
 * Returns the bridge options of a configuration of valid shape. Throws NetError `invalid-config` for keys that
 * contradict each other.
 */
export function parseBridge(config: Json, strict: boolean): BridgeOptions {
  const flag = (key: string): boolean => field(config, key) === true;
  const isDefaultGateway = flag('isDefaultGateway');
  const isGateway = isDefaultGateway || flag('isGateway');
  if (flag('hairpinMode') && flag('promiscMode')) {
    throw contradiction('.hairpinMode', 'true', 'hairpinMode and promiscMode exclude each other', 'Set one of them');
  }
  const hasIpam = hasIpamType(config, strict);
  if (flag('disableContainerInterface') && hasIpam) {
    throw contradiction(
      '.disableContainerInterface',
      'true',
      'an interface that stays down cannot have addresses, but .ipam is given',
      'Remove .ipam or disableContainerInterface',
    );
  }
  if (strict && isGateway && !hasIpam) {
    const key = isDefaultGateway ? '.isDefaultGateway' : '.isGateway';
    throw contradiction(key, 'true', 'a gateway needs addresses, but .ipam is missing', `Give .ipam or remove ${key}`);
  }
  const mtu = numberField(config, 'mtu');
  if (mtu !== undefined && mtu > 0 && mtu < MIN_MTU) {
    throw contradiction('.mtu', String(mtu), `an MTU is at least ${MIN_MTU} bytes`, 'Use 0 for the default');
  }
  const bridge = bridgeName(config, strict);
  const wrong = ifNameFault(bridge);
  if (wrong !== undefined)
    throw contradiction('.bridge', JSON.stringify(bridge), `it ${wrong}`, 'Give a name like isth0');
  const vlan = numberField(config, 'vlan');
  if (isGateway && vlan && Buffer.byteLength(`${bridge}.${vlan}`) > MAX_IFNAME) {
    const what = `the gateway's interface ${bridge}.${vlan} has a name of more than ${MAX_IFNAME} bytes`;
    throw contradiction('.vlan', String(vlan), what, 'Shorten .bridge');
  }
  return {
    driver: 'bridge',
    bridge,
    isGateway,
    isDefaultGateway,
    forceAddress: flag('forceAddress'),
    ...(mtu ? { mtu } : {}),
    hairpin: flag('hairpinMode'),
    promisc: flag('promiscMode'),
    ...(vlan ? { vlan } : {}),
    trunk: parseTrunk(field(config, 'vlanTrunk')),
    preserveDefaultVlan: flag('preserveDefaultVlan'),
    macspoofchk: flag('macspoofchk'),
    ...((wantsSpoofGuard(config) ?? strict) ? { spoofGuard: true } : {}),
    enabledad: flag('enabledad'),
    disableContainerInterface: flag('disableContainerInterface'),
    portIsolation: flag('portIsolation') || field(config, 'icc') === false,
    ...inet6Of(config, strict),
  };
}

/** Returns the name of a configuration's bridge; never throws, for DEL and GC. */
export function bridgeName(config: Json, strict: boolean): string {
  const given = field(config, 'bridge');
  if (typeof given === 'string' && given !== '') return given;
  return strict ? defaultBridge(textOf(field(config, 'name') ?? '')) : 'cni0';
}

/**
 * Returns `br-<network>` if that is a valid interface name (15 characters), else `br-` and 12 hex digits of its digest.
 */
function defaultBridge(network: string): string {
  return network.length <= 12 ? `br-${network}` : `br-${digest('bridge', network).slice(0, 12)}`;
}

/** The key `spoofGuard`, under every name; undefined if it is not given. */
export function wantsSpoofGuard(config: Json): boolean | undefined {
  const given = field(config, 'spoofGuard');
  if (given === undefined) return undefined;
  if (given === true || given === 'on') return true;
  if (given === false || given === 'off') return false;
  throw contradiction('.spoofGuard', JSON.stringify(given), 'it is neither on nor off', 'Write true or false');
}

/** The key `ipv6`, under every name; the drop-in names follow the reference without it. */
function inet6Of(config: Json, strict: boolean): Pick<BridgeOptions, 'ipv6'> {
  const asked = field(config, 'ipv6');
  if (asked === undefined) return strict ? {} : { ipv6: 'reference' };
  if (asked === 'auto') return {};
  if (asked === 'on' || asked === 'off') return { ipv6: asked };
  throw contradiction('.ipv6', JSON.stringify(asked), 'it is none of auto, on and off', 'Write "auto"');
}

function hasIpamType(config: Json, strict: boolean): boolean {
  const ipam = field(config, 'ipam');
  if (!isObject(ipam)) return false;
  const type = field(ipam, 'type');
  return (typeof type === 'string' && type !== '') || (strict && Object.keys(ipam).length > 0);
}

function parseTrunk(value: unknown): VlanRange[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown, i) => {
    const path = `.vlanTrunk[${i}]`;
    const [id, min, max] = ['id', 'minID', 'maxID'].map((key) => numberField(item, key));
    if ((min === undefined) !== (max === undefined)) {
      throw contradiction(path, JSON.stringify(item), 'minID and maxID go together', 'Give both or neither');
    }
    if (min === undefined && id === undefined) {
      throw contradiction(path, JSON.stringify(item), 'neither id nor minID and maxID is given', 'Give one of them');
    }
    if (min !== undefined && max !== undefined && min > max) {
      throw contradiction(path, JSON.stringify(item), `minID ${min} is above maxID ${max}`, 'Swap them');
    }
    const ranges: VlanRange[] = id === undefined ? [] : [{ vid: id }];
    if (min !== undefined && max !== undefined) ranges.push({ vid: min, vidEnd: max });
    return ranges;
  });
}

function numberField(value: unknown, key: string): number | undefined {
  const found = field(value, key);
  return typeof found === 'number' ? found : undefined;
}

function contradiction(path: string, value: string, what: string, hint: string): NetError {
  return fault.invalidConfig('config', `${path}=${value}`, what, hint);
}
