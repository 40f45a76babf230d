import { type Cell, type End, labelOf, type Matrix, NO } from './matrix.ts';
import type { Backend, ForwardPolicy } from './matrix-site.ts';

/** What the expectations depend on. */
export interface Surroundings {
  /** FORWARD accepts or drops what no rule decides about. */
  readonly policy: ForwardPolicy;
  /** The backend of our CNI networks; that of our Docker networks is nftables. */
  readonly backend: Backend;
  /** Who reached whom before us. */
  readonly before: Matrix;
  /** Docker masquerades IPv6 too. */
  readonly filters6?: boolean;
}

/**
 * Answers for pairs with one end ours: docs/firewall.md as a function. `pod` is on an open CNI network with masquerade,
 * `container` on a Docker network of ours.
 */
export function expectedOf({ policy, backend, before, filters6 = true }: Surroundings): (cell: Cell) => string {
  /** A bridge that nobody knows reaches what the host's own rules leave open. */
  const asPlain = (cell: Cell, source: string): string => {
    const asked = (name: string): string | undefined => before.get(labelOf({ ...cell, from: { ...cell.from, name } }));
    return (asked('p1') ?? asked('p2')) === NO ? NO : yes(source);
  };
  const out = (cell: Cell): string => {
    const { from, to, port } = cell;
    if (to.kind === 'host') return yes(from.name);
    if (to.kind === 'outside') return yes('host:up0');
    if (to.kind === 'plain' || to.kind === 'docker-unprotected') return asPlain(cell, towards(to));
    if (port === 'published') return asPlain(cell, towards(to));
    // Closed: Docker's networks, libvirt's.
    return NO;
  };
  const into = ({ from, to, port, family }: Cell): string => {
    const isNatted = from.kind.startsWith('docker') || from.kind === 'libvirt-nat';
    const unfiltered = from.kind.startsWith('docker') && family === 6 && !filters6;
    const source = isNatted && !unfiltered && from.kind !== 'docker-routed' ? towards(to) : from.name;
    if (from.kind === 'docker-internal' || from.kind === 'libvirt-isolated') return NO;
    if (from.kind === 'host') return yes(port === 'published' ? 'host:up0' : towards(to));
    if (port === 'published') return yes(source);
    if (to.kind === 'container' || from.kind.startsWith('docker')) return NO;
    // libvirt's own rule accepts what its VMs send.
    if (from.kind === 'libvirt-nat') return yes(source);
    return policy === 'ACCEPT' ? yes(source) : NO;
  };
  const among = ({ from, to, port }: Cell): string => {
    const isNear = from.bridge === to.bridge;
    if (to.kind === 'container' && !isNear && port === 'unpublished') return NO;
    // One backend's masquerade does not know the networks of the other.
    const isMixed = backend === 'iptables' && from.kind !== to.kind;
    return yes(isMixed || (isNear && port === 'published') ? towards(to) : from.name);
  };
  return (cell) => {
    if (isOurs(cell.from) && isOurs(cell.to)) return among(cell);
    return isOurs(cell.from) ? out(cell) : into(cell);
  };
}

/** An end of any other kind is foreign. */
export const isOurs = ({ kind }: End): boolean => kind === 'pod' || kind === 'container';

const yes = (source: string): string => `yes (${source})`;

/** The host's address on the network of `to`. */
const towards = ({ bridge = '' }: End): string => `host:${bridge}`;
