import { type Cell, type End, labelOf, type Matrix, NO, UNCHANGED } from './matrix.ts';
import type { Backend } from './matrix-ours.ts';

/** What the expectations depend on. */
export interface Surroundings {
  /** The backend of our CNI networks; that of our Docker networks is nftables. */
  readonly backend: Backend;
  /** Who reached whom before us. */
  readonly before: Matrix;
  /** Docker filters IPv6 too, which is the default here. */
  readonly filters6?: boolean;
  /** Pairs with an end ours whose connections the administrator accepted, by `labelOf`. */
  readonly accepted?: readonly string[];
  /** The administrator shut these ends out. */
  readonly banned?: readonly string[];
  /** The administrator's rules are in a table of nftables with hooks of its own, which decides by itself. */
  readonly tables?: boolean;
  /** Ours reach the host's own ports, whoever else does: in a zone of firewalld. */
  readonly opensHost?: boolean;
}

/**
 * Ends on bridges that nobody knows: what they reach, and who reaches them, is left to the host's own rules. Where there
 * are four, some rule is about the first two.
 */
const PLAIN = ['p3', 'p4', 'p1', 'p2'] as const;

/**
 * The answers for pairs with one end ours, or both: the table of docs/firewall.md as a function. Pods are on CNI networks
 * with masquerade: a `pod` without a policy, `pod-explicit` with `"ingressPolicy": "open"`, `pod-node` with the addresses
 * of `node` among its `nonMasqueradeCIDRs`. A `container` is on a Docker network of ours.
 */
export function expectedOf(surroundings: Surroundings): (cell: Cell) => string {
  const {
    backend,
    before,
    filters6 = true,
    accepted = [],
    banned = [],
    tables = false,
    opensHost = false,
  } = surroundings;
  /** What a plain bridge got before us in place of one end. */
  const asPlain = (cell: Cell, place: 'from' | 'to', answer: string): string => {
    const answers = PLAIN.map((name) => before.get(labelOf({ ...cell, [place]: { ...cell[place], name } })));
    return answers.find((answer) => answer !== undefined) === NO ? NO : answer;
  };
  const out = (cell: Cell): string => {
    const { from, to, port, family } = cell;
    if (to.kind === 'node' && from.kind === 'pod-node') return UNCHANGED;
    if (to.kind === 'outside' || to.kind === 'node') return towards(to);
    if (to.kind === 'host') return opensHost ? UNCHANGED : asPlain(cell, 'from', UNCHANGED);
    // What Docker does not guard itself is closed.
    if (to.kind === 'docker-routed' && family === 6 && !filters6) return NO;
    if (port === 'published') return asPlain(cell, 'from', towards(to));
    return to.kind === 'plain' ? asPlain(cell, 'from', towards(to)) : NO;
  };
  const into = (cell: Cell): string => {
    const { from, to, port, family } = cell;
    const isFiltered = !from.kind.startsWith('docker') || family === 4 || filters6;
    // A container of an isolated network has no gateway.
    const isInside = ['docker-internal', 'libvirt-isolated'].includes(from.kind) && isFiltered;
    if (from.kind === 'docker-isolated' || isInside || banned.includes(from.name)) return NO;
    if (from.kind === 'host') return port === 'published' ? yes('host:up0') : towards(to);
    const isNatted = ['docker', 'docker-unprotected', 'libvirt-nat'].includes(from.kind) && isFiltered;
    const answer = isNatted ? towards(to) : UNCHANGED;
    const isAccepted = to.kind === 'pod-explicit' || (to.kind === 'pod-node' && from.kind === 'node');
    if (port === 'published' || accepted.includes(labelOf(cell))) return answer;
    if (isAccepted) return tables ? asPlain(cell, 'to', answer) : answer;
    const isRouted = ['outside', 'node', 'plain', 'libvirt-nat'].includes(from.kind);
    return isRouted && to.kind !== 'container' ? asPlain(cell, 'to', answer) : NO;
  };
  const among = ({ from, to, port }: Cell): string => {
    const isNear = from.bridge === to.bridge;
    if (to.kind === 'container' && !isNear && port === 'unpublished') return NO;
    // One backend's masquerade does not know the networks of the other.
    const isMixed = backend === 'iptables' && (from.kind === 'container') !== (to.kind === 'container');
    return isMixed || (isNear && port === 'published') ? towards(to) : UNCHANGED;
  };
  return (cell) => {
    if (isOurs(cell.from) && isOurs(cell.to)) return among(cell);
    return isOurs(cell.from) ? out(cell) : into(cell);
  };
}

/** An end of any other kind is foreign. */
export const isOurs = ({ kind }: End): boolean => kind.startsWith('pod') || kind === 'container';

const yes = (source: string): string => `yes (${source})`;

/** The server sees the host's address on the network of `to`. */
const towards = ({ bridge = '' }: End): string => yes(`host:${bridge}`);
