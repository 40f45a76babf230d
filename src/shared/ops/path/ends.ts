import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { type Addr, BITS, type Family, formatAddr, parseAddr } from '../../model/addr.ts';
import { dockerNamespaces } from '../docker-interfaces.ts';
import type { EndpointInfo } from '../endpoints.ts';

/** One end of a path. */
export type End = ContainerEnd | HostEnd | AddressEnd;

/** A container, by one of its interfaces. */
export interface ContainerEnd {
  readonly kind: 'container';
  readonly title: string;
  readonly info: EndpointInfo;
  readonly addresses: readonly Addr[];
}

export interface HostEnd {
  readonly kind: 'host';
  readonly title: string;
}

/** An address that belongs to no container on record. */
export interface AddressEnd {
  readonly kind: 'address';
  readonly title: string;
  readonly address: Addr;
}

export const HOST: HostEnd = { kind: 'host', title: 'the host' };

export function containerEnd(title: string, info: EndpointInfo): ContainerEnd {
  return { kind: 'container', title, info, addresses: info.addresses.flatMap((text) => parseAddr(bare(text)) ?? []) };
}

/** Prefixes of addresses that are not one host's, and what to give instead. */
const SHARED: readonly (readonly [prefix: string, length: number, what: string, hint: string])[] = [
  ['0.0.0.0', 32, 'it stands for no address', 'Give an address, a container or "host"'],
  ['::', 128, 'it stands for no address', 'Give an address, a container or "host"'],
  ['224.0.0.0', 4, 'it is a multicast address, which many hosts have', 'Give the address of one of them'],
  ['ff00::', 8, 'it is a multicast address, which many hosts have', 'Give the address of one of them'],
  ['255.255.255.255', 32, 'it is the broadcast address', 'Give the address of one host'],
  ['fe80::', 10, 'each link has such addresses of its own', 'Give another address of the same host'],
  ['::ffff:0:0', 96, 'it is an IPv4 address in the form of IPv6', 'Give the IPv4 address'],
];

/** Throws NetError `bad-environment` for an address that names no single sender or receiver. */
export function assertOneHost(address: Addr): void {
  for (const [prefix, length, what, hint] of SHARED) {
    const other = parseAddr(prefix);
    const rest = BigInt(BITS[address.family] - length);
    if (other?.family !== address.family || other.value >> rest !== address.value >> rest) continue;
    throw fault.badEnvironment('check-path', formatAddr(address), what, hint);
  }
}

export function bare(address: string): string {
  return address.replace(/\/.*/, '');
}

/** The address of the end in this family, if it has one. */
export function addressOf(end: End, family: Family): Addr | undefined {
  if (end.kind === 'host') return undefined;
  return end.kind === 'address'
    ? [end.address].find((addr) => addr.family === family)
    : end.addresses.find((addr) => addr.family === family);
}

/**
 * Opens the namespace of a container: the recorded one, or for Docker's the one that has its interface. Throws NetError
 * `invalid-namespace` if it is not found.
 */
export function openContainer({ host }: Core, { title, info }: ContainerEnd): LinuxNamespace {
  const paths = info.sandbox === undefined ? dockerNamespaces() : [info.sandbox];
  for (const path of paths) {
    const ns = host.open(path);
    if (ns instanceof LinuxNamespace) {
      if (info.sandbox !== undefined) return ns;
      const { links } = host.observe(ns, { links: 'all' });
      if ([...links.values()].some(({ mac }) => mac === info.mac)) return ns;
    }
    ns[Symbol.dispose]();
  }
  const hint = 'Is it running? docker ps, crictl ps';
  throw fault.invalidNamespace('check-path', title, 'its network namespace was not found', hint);
}
