import { type Cell, type End, labelOf, type Matrix, NO, UNCHANGED } from './matrix.ts';
import type { Backend } from './matrix-site.ts';

/** What the expectations depend on. */
export interface Surroundings {
  /** The backend of our CNI networks; that of our Docker networks is nftables. */
  readonly backend: Backend;
  /** Who reached whom before us. */
  readonly before: Matrix;
  /** Docker filters IPv6 too, which is the default here. */
  readonly filters6?: boolean;
  /** The administrator shut these ends out. */
  readonly banned?: readonly string[];
  /** Ours reach the host's own ports, whoever else does: in a zone of firewalld. */
  readonly opensHost?: boolean;
}

/**
 * Ends on bridges that nobody knows: what they reach, and who reaches them, is left to the host's own rules. Where there
 * are four, some rule is about the first two.
 */
const PLAIN = ['p3', 'p4', 'p1', 'p2'] as const;

/**
 * The answers for pairs with one end ours, or both: docs/firewall.md as a function. A `pod` is on an open CNI network
 * with masquerade, a `container` on a Docker network of ours.
 */
export function expectedOf(surroundings: Surroundings): (cell: Cell) => string {
  const { backend, before, filters6 = true, banned = [], opensHost = false } = surroundings;
  /** What a plain bridge got before us in place of one end. */
  const asPlain = (cell: Cell, place: 'from' | 'to', answer: string): string => {
    const answers = PLAIN.map((name) => before.get(labelOf({ ...cell, [place]: { ...cell[place], name } })));
    return answers.find((answer) => answer !== undefined) === NO ? NO : answer;
  };
  const out = (cell: Cell): string => {
    const { to, port } = cell;
    if (to.kind === 'outside') return yes('host:up0');
    if (to.kind === 'host') return opensHost ? UNCHANGED : asPlain(cell, 'from', UNCHANGED);
    // Docker's networks and libvirt's are closed.
    const isOpen = port === 'published' || to.kind === 'plain' || to.kind === 'docker-unprotected';
    return isOpen ? asPlain(cell, 'from', towards(to)) : NO;
  };
  const into = (cell: Cell): string => {
    const { from, to, port, family } = cell;
    const isDocker = from.kind.startsWith('docker');
    const isFiltered = !isDocker || family === 4 || filters6;
    const isInside = ['docker-internal', 'libvirt-isolated'].includes(from.kind) && isFiltered;
    if (isInside || banned.includes(from.name)) return NO;
    if (from.kind === 'host') return port === 'published' ? yes('host:up0') : towards(to);
    const isNatted = ['docker', 'docker-unprotected', 'libvirt-nat'].includes(from.kind) && isFiltered;
    const answer = isNatted ? towards(to) : UNCHANGED;
    if (port === 'published') return answer;
    return to.kind === 'container' || isDocker ? NO : asPlain(cell, 'to', answer);
  };
  const among = ({ from, to, port }: Cell): string => {
    const isNear = from.bridge === to.bridge;
    if (to.kind === 'container' && !isNear && port === 'unpublished') return NO;
    // One backend's masquerade does not know the networks of the other.
    const isMixed = backend === 'iptables' && from.kind !== to.kind;
    return isMixed || (isNear && port === 'published') ? towards(to) : UNCHANGED;
  };
  return (cell) => {
    if (isOurs(cell.from) && isOurs(cell.to)) return among(cell);
    return isOurs(cell.from) ? out(cell) : into(cell);
  };
}

/** An end of any other kind is foreign. */
export const isOurs = ({ kind }: End): boolean => kind === 'pod' || kind === 'container';

const yes = (source: string): string => `yes (${source})`;

/** The server sees the host's address on the network of `to`. */
const towards = ({ bridge = '' }: End): string => yes(`host:${bridge}`);
