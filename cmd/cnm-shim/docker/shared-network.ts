import { bridgeOf, type NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { type Core, nameInDocker } from '../../../src/shared/core/core.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { type Addr, type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import { defaultRoute, firstHost, formatPrefix, networkOf, samePrefix } from '../../../src/shared/model/prefix.ts';
import type { GatewayMode } from '../../../src/shared/store/store.ts';
import { containersGateway } from './network-options.ts';
import { DOCKER_KEYS, type DockerOptions } from './options.ts';
import type { IpamData } from './wire/messages.ts';

/** What Docker needs to know about an existing Network of either camp. */
export interface SharedTraits {
  readonly internal: boolean;
  readonly mode4: GatewayMode;
  readonly mode6: GatewayMode;
}

export function traitsOf({ options, rules }: NetworkSpec): SharedTraits {
  const mode = (family: Family): GatewayMode => {
    if (bridgeOf(options)?.gatewayFamilies?.includes(family) === false) return 'isolated';
    if (rules?.options.ports.routed?.includes(family) === true) return 'routed';
    const isOpen =
      ['open', 'reachable'].includes(rules?.options.policy ?? '') ||
      rules?.options.unprotected?.includes(family) === true;
    return isOpen ? 'nat-unprotected' : 'nat';
  };
  return { internal: rules?.options.policy === 'internal', mode4: mode(4), mode6: mode(6) };
}

/**
 * The gateway address for endpoints of a Network. Undefined if it leads nowhere: the Network is internal, or has no way
 * out through the host or a default route of its own.
 */
export function gatewayOf(spec: NetworkSpec, family: Family): Addr | undefined {
  const { options, routes } = spec;
  const bridge = bridgeOf(options);
  if (traitsOf(spec).internal || bridge === undefined) return undefined;
  const route = routes.find(({ dst }) => samePrefix(dst, defaultRoute(family)));
  if (route?.gateway !== undefined) return route.gateway;
  const carried = bridge.isGateway && bridge.gatewayFamilies?.includes(family) !== false;
  return carried || route !== undefined ? firstGateway(spec, family) : undefined;
}

/** The gateway of a family's first subnet: the configured one, else its first host address. */
export function firstGateway({ ranges }: NetworkSpec, family: Family): Addr | undefined {
  const range = ranges.map(([first]) => first).find((one) => one?.subnet.addr.family === family);
  return range && (range.gateway ?? firstHost(range.subnet));
}

/** Throws NetError `conflict` for the first option that differs from the Network. */
export function assertAgrees(name: string, spec: NetworkSpec, options: DockerOptions, internal: boolean): void {
  const { rules } = spec;
  const bridge = bridgeOf(spec.options);
  const traits = traitsOf(spec);
  const masquerade = rules?.options.masquerade;
  const wanted: readonly (readonly [key: string, asked: unknown, has: unknown])[] = [
    ['-o driver', options.driver, spec.options.driver],
    [`-o ${DOCKER_KEYS.bridge}`, options.bridge, bridge?.bridge],
    [`-o ${DOCKER_KEYS.mtu}`, options.mtu, bridge?.mtu ?? 'the default'],
    ['-o macspoofchk', options.macspoofchk, bridge?.macspoofchk],
    ['-o spoofGuard', options.spoofGuard, bridge?.spoofGuard === true],
    ['-o proxy6to4', options.proxy6to4, rules?.options.ports.proxy6to4 === true],
    [`-o ${DOCKER_KEYS.masquerade}`, options.masquerade, masquerade !== undefined],
    [`-o ${DOCKER_KEYS.icc}`, options.icc, bridge?.portIsolation !== true],
    [`-o ${DOCKER_KEYS.inhibit4}`, options.inhibit4, bridge?.inhibit4 === true],
    [`-o ${DOCKER_KEYS.mode4}`, options.mode[4], traits.mode4],
    [`-o ${DOCKER_KEYS.mode6}`, options.mode[6], traits.mode6],
    [`-o ${DOCKER_KEYS.source4}`, text(options.source[4]), text(masquerade?.to[4]) ?? 'the default'],
    [`-o ${DOCKER_KEYS.source6}`, text(options.source[6]), text(masquerade?.to[6]) ?? 'the default'],
    [`-o ${DOCKER_KEYS.trusted}`, options.trusted?.join(':'), rules?.options.trusted?.join(':') ?? 'none'],
    ['--internal', internal || undefined, traits.internal],
  ];
  for (const [key, asked, has] of wanted) {
    if (asked === undefined || asked === has) continue;
    throw disagreement(name, `${key}=${asked}`, `it has ${has} there`, `Leave ${key.replace('-o ', '')} out`);
  }
}

function text(addr: Addr | undefined): string | undefined {
  return addr && formatAddr(addr);
}

/** Throws NetError `conflict` unless Docker's pool and gateway are the Network's. */
export function assertSamePool(name: string, spec: NetworkSpec, family: Family, data: IpamData): void {
  const { pool } = data;
  const gateway = containersGateway(data);
  const subnet = formatPrefix(networkOf(pool));
  const known = spec.ranges.flatMap((set) => set.map((range) => formatPrefix(range.subnet)));
  if (!known.includes(subnet)) {
    const has = known.length === 0 ? 'it has no subnet' : `it has ${known.join(', ')}`;
    throw disagreement(name, `--subnet ${subnet}`, has, 'Give the subnet of the network');
  }
  const own = gatewayOf(spec, family) ?? firstGateway(spec, family);
  if (gateway === undefined || own === undefined || own.value === gateway.addr.value) return;
  const what = `its gateway is ${formatAddr(own)}`;
  throw disagreement(name, `--gateway ${formatAddr(gateway.addr)}`, what, 'Leave --gateway out');
}

/** NetError: only a shared Network's own IPAM assigns its addresses. Includes the command that works. */
export function unshared(core: Core, name: string, spec: NetworkSpec | undefined, what: string): NetError {
  const subnets = (spec?.ranges ?? []).flatMap(([first]) => first?.subnet ?? []);
  const given = subnets.map((subnet) => ` --subnet ${formatPrefix(subnet)}`).join('');
  const six = subnets.some(({ addr }) => addr.family === 6) ? ' --ipv6' : '';
  const driver = nameInDocker(core);
  const command = `docker network create -d ${driver} --ipam-driver ${driver} --ipam-opt network=${name} -o network=${name}${six}${given} NAME`;
  return fault.conflict('join', `network ${name}`, what, `Use: ${command}`);
}

/** NetError: another IPAM assigns the Network's addresses. */
export function foreignAllocator(core: Core, name: string, allocator: string): NetError {
  const what = `${allocator} assigns its addresses, and ours would collide with them`;
  const own = `Make a network of its own: docker network create -d ${nameInDocker(core)} NAME`;
  const built =
    '. To share this one, let the built-in IPAM serve both sides: leave ipam.type out of the CNI configuration';
  const hint = `${own}${allocator === 'docker' ? '' : built}`;
  return fault.conflict('join', `network ${name}`, what, hint);
}

function disagreement(name: string, asked: string, has: string, hint: string): NetError {
  const what = `${asked} is requested, but ${has}`;
  return fault.conflict('join', `network ${name}`, what, hint);
}
