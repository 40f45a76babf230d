import type { Namespace } from '../host/host.ts';
import { digest, type SandboxId } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import type { AddressState, ForwardingState, LinkKind, LinkState, NeighbourState, RouteState } from '../model/link.ts';
import { macOfDigest } from '../model/mac.ts';
import type { VlanRange } from '../model/op.ts';
import type { RuleState } from '../model/rule.ts';
import type { TbfSpec } from '../model/shaping.ts';
import type { XfrmPolicy, XfrmState } from '../model/xfrm.ts';

/** The initial content of a namespace. Links get an index, a MAC and the other fields that are not given. */
export interface FakeSeed {
  readonly links?: readonly (Partial<LinkState> & { readonly name: string })[];
  readonly addresses?: readonly { readonly dev: string; readonly address: string }[];
  readonly routes?: readonly (Partial<RouteState> & { readonly dst: string })[];
  readonly sysctls?: Readonly<Record<string, string>>;
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface FakeLink {
  ns: FakeNetns;
  readonly state: Mutable<LinkState>;
  /** The Op's description of the link; absent for seeded links without a kind. */
  readonly made?: LinkKind;
  /** A veth's other end. */
  peer?: { readonly ns: FakeNetns; readonly name: string };
  /** The link that this one was created on; that has it among its children. */
  parent?: FakeLink;
  readonly children: Set<FakeLink>;
  /** Requested promiscuity; bridge ports are promiscuous in any case. */
  promisc: boolean;
}

/** The requested settings of one device. */
export interface FakeShaping {
  readonly tbf?: TbfSpec;
  readonly redirect?: string;
}

/** net/ipv4/fib_rules.c, fib_default_rules_init; net/ipv6/fib6_rules.c. */
export const KERNEL_RULES: readonly RuleState[] = [
  { family: 4, table: 255, priority: 0, protocol: 2 },
  { family: 4, table: 254, priority: 32_766, protocol: 2 },
  { family: 4, table: 253, priority: 32_767, protocol: 2 },
  { family: 6, table: 255, priority: 0, protocol: 2 },
  { family: 6, table: 254, priority: 32_766, protocol: 2 },
];

/** Flags of an address that no view shows. */
interface FakeFlags {
  readonly noDad: boolean;
  readonly deprecated: boolean;
  readonly noPrefixRoute: boolean;
}

/** The state of one namespace, in order of creation. */
export class FakeNetns implements Namespace {
  readonly id: SandboxId;
  readonly path: string;
  readonly links = new Map<string, FakeLink>();
  addresses: (AddressState & FakeFlags)[] = [];
  /** Excludes the kernel's own routes to connected subnets. */
  routes: RouteState[] = [];
  /** IPv4 first, by priority. */
  rules: readonly RuleState[] = KERNEL_RULES;
  /** By device and address. */
  readonly neighbours = new Map<string, NeighbourState>();
  /** By device, or bridge for the half behind a port, and MAC; those of a flood list by remote end, too. */
  readonly forwarding = new Map<string, ForwardingState>();
  vlans: { readonly name: string; readonly vlan: VlanRange }[] = [];
  readonly sysctls = new Map<string, string>();
  /** By device. */
  readonly shaping = new Map<string, FakeShaping>();
  /** By destination and SPI. */
  readonly states = new Map<string, XfrmState>();
  /** By direction, addresses and port. */
  readonly policies = new Map<string, XfrmPolicy>();
  /** Addresses that were announced to neighbours, in order. */
  readonly announced: string[] = [];
  #nextIndex = 1;

  constructor(id: SandboxId, path: string, seed: FakeSeed = {}) {
    this.id = id;
    this.path = path;
    const { links = [], addresses = [], routes = [], sysctls = {} } = seed;
    const lo = { name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, loopback: true };
    for (const link of [lo, ...links]) this.addLink(link);
    for (const { dev, address } of addresses) this.addresses.push(newAddress(dev, address, {}));
    for (const route of routes) this.routes.push({ protocol: 4, table: 254, scope: scopeOf(route), ...route });
    for (const [key, value] of Object.entries(sysctls))
      this.sysctls.set(key.includes('/') ? key : key.replaceAll('.', '/'), value);
  }

  addLink(seed: Partial<LinkState> & { readonly name: string }, made?: LinkKind): FakeLink {
    const index = this.takeIndex(seed.index);
    const state: LinkState = {
      index,
      mac: macOfDigest(digest('mac', this.id, seed.name)),
      mtu: 1500,
      up: false,
      lowerUp: false,
      loopback: false,
      promisc: false,
      allMulticast: false,
      txQueueLength: 1000,
      group: 0,
      altNames: [],
      ...seed,
    };
    const link: FakeLink = { ns: this, state, promisc: state.promisc, children: new Set(), ...given({ made }) };
    this.links.set(seed.name, link);
    return link;
  }

  /** Returns `wanted` if no link has it, else the next index. */
  takeIndex(wanted?: number): number {
    const isFree = wanted !== undefined && ![...this.links.values()].some(({ state }) => state.index === wanted);
    const index = isFree ? wanted : this.#nextIndex;
    this.#nextIndex = Math.max(this.#nextIndex, index + 1);
    return index;
  }

  /** The link with all values that derive from other links: carrier, promiscuity of ports, the index of peer or parent. */
  view(link: FakeLink): LinkState {
    const { state, promisc } = link;
    const other = peerOf(link) ?? link.parent;
    const there = link.peer?.ns ?? other?.ns;
    return {
      ...state,
      lowerUp: this.#carrier(link),
      promisc: promisc || state.port !== undefined,
      ...(other && { linkIndex: other.state.index }),
      ...(other && there !== this && { linkNetnsId: 0 }),
    };
  }

  /** The kernel forgets all neighbours of a device that goes down or changes its MAC, permanent ones too. */
  forgetNeighbours(dev: string, family?: 6): void {
    for (const [key, neighbour] of this.neighbours) {
      if (neighbour.dev === dev && (family === undefined || neighbour.address.includes(':')))
        this.neighbours.delete(key);
    }
  }

  /** Deletes the FDB entries of a device that goes, or those behind a port that leaves its bridge. */
  forgetForwarding(dev: string, half?: 'master'): void {
    for (const [key, entry] of this.forwarding)
      if (entry.dev === dev && (half ?? entry.flags) === entry.flags) this.forwarding.delete(key);
  }

  /** No process opens a tap of the fake. */
  #carrier({ state, peer, parent }: FakeLink): boolean {
    if (!state.up || state.kind === 'tun') return false;
    if (peer !== undefined) return peer.ns.links.get(peer.name)?.state.up ?? false;
    if (parent !== undefined && state.kind !== 'vxlan') return this.#carrier(parent);
    if (state.kind !== 'bridge') return true;
    return [...this.links.values()].some((port) => port.state.master === state.name && this.#carrier(port));
  }

  /** A namespace of the fake needs no closing. */
  [Symbol.dispose](): void {}
}

/** The other end of a veth. */
export function peerOf({ peer }: FakeLink): FakeLink | undefined {
  return peer?.ns.links.get(peer.name);
}

export function newAddress(
  dev: string,
  address: string,
  { noDad = false, deprecated = false, noPrefixRoute = false }: Partial<FakeFlags>,
): FakeNetns['addresses'][number] {
  const scope = address.startsWith('127.') || address === '::1/128' ? 'host' : 'global';
  return { dev, address, scope, permanent: true, dadFailed: false, tentative: false, noDad, deprecated, noPrefixRoute };
}

/** The form that the kernel reports: IPv6 routes have no scope of their own. */
export function scopeOf({ dst, gateway }: { readonly dst: string; readonly gateway?: string }): 'global' | 'link' {
  return gateway === undefined && !dst.includes(':') ? 'link' : 'global';
}
