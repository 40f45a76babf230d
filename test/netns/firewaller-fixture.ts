import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import type {
  DirectEntry,
  HairpinEntry,
  IngressPolicy,
  MasqueradeEntry,
  PolicyEntry,
  PortEntry,
} from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import type { PeerEntry, SealedEntry, UnderlayEntry } from '../../src/shared/model/overlay-entries.ts';
import type { FilterTools } from '../support/filter-tools.ts';
import { ADDRESSES, HOST, type Peer, type PodSite, SERVICE, SUBNET_A } from '../support/pod-site.ts';
import type { Target } from '../support/traffic.ts';
import type { TrafficProtocol } from '../support/traffic-words.ts';

/** The firewaller under test, of the site's host. */
export interface FirewallerFixture {
  readonly site: PodSite;
  readonly firewaller: Firewaller;
  readonly tools: FilterTools;
  /** Ops of the host, as core runs them beside the firewaller. */
  apply(...ops: readonly Op[]): void;
}

/** Only inside a test or a hook. */
export type Fixture = () => FirewallerFixture;

export type MakeFirewaller = (ns: LinuxNamespace) => Firewaller;

export const FAMILIES = [4, 6] as const satisfies readonly Family[];
export const PROTOCOLS = ['tcp', 'udp'] as const satisfies readonly TrafficProtocol[];
export const LOOPBACK = '127.0.0.1';
/** The published port of the host, unless a test says otherwise. */
export const PUBLISHED = 8080;

/** SERVICE of a peer. */
export function service(family: Family, peer: Peer, protocol: TrafficProtocol = 'tcp'): Target {
  return { protocol, address: ADDRESSES[family][peer], port: SERVICE };
}

/** A published port, at the host's address towards a peer. */
export function published(family: Family, towards: Peer, rest: Partial<Target> = {}): Target {
  return { address: HOST[family][towards], port: PUBLISHED, ...rest };
}

export function masquerade(family: Family, rest: Partial<MasqueradeEntry> = {}): MasqueradeEntry {
  return { kind: 'masquerade', subnet: SUBNET_A[family], except: [], ...rest };
}

export function hairpin(family: Family): HairpinEntry {
  return { kind: 'hairpin', device: 'br-a', subnet: SUBNET_A[family] };
}

/** Leads from PUBLISHED to SERVICE of a1. */
export function port(family: Family, rest: Partial<PortEntry> = {}): PortEntry {
  return {
    kind: 'port',
    protocol: 'tcp',
    hostPort: PUBLISHED,
    address: ADDRESSES[family].a1,
    port: SERVICE,
    snat: true,
    masqAll: false,
    conditions: [],
    ...rest,
  };
}

/** Lets others in to SERVICE of a1. */
export function direct(family: Family, rest: Partial<DirectEntry> = {}): DirectEntry {
  const usual = { kind: 'direct', device: 'br-a', protocol: 'tcp' } as const;
  return { ...usual, address: ADDRESSES[family].a1, port: SERVICE, ...rest };
}

/** The port of a VXLAN device. */
export const VXLAN = 4789;

export function underlay(family: Family, port = VXLAN): UnderlayEntry {
  return { kind: 'underlay', family, port };
}

/** The network of the port is encrypted. */
export function sealed(family: Family, port = VXLAN): SealedEntry {
  return { kind: 'sealed', family, port };
}

/** `outside` is a host of the same overlay. */
export function peer(family: Family, port = VXLAN): PeerEntry {
  return { kind: 'peer', port, address: ADDRESSES[family].outside };
}

export function policy(device: 'br-a' | 'br-b', rule: IngressPolicy): PolicyEntry {
  return { kind: 'policy', device, policy: rule };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
