import type { Protocol } from '../../model/firewall.ts';

/** What a path is asked for. */
export interface Question {
  /** `icmp`: a ping. */
  readonly protocol: Protocol | 'icmp';
  /** Absent for a ping. */
  readonly port?: number;
}

/** One place on the way of a packet. */
export interface Hop {
  /** `container web1`, `the host`, `bridge isth0`. */
  readonly at: string;
  /** What happens there. */
  readonly what: string;
  /** `lost`: the packet ends there. `maybe`: a rule with conditions that only the packet can tell decides. */
  readonly state: 'passes' | 'lost' | 'maybe';
  /** How to mend it, where it is lost. */
  readonly cure?: string;
}

export const NUMBERS: Readonly<Record<Question['protocol'], { readonly 4: number; readonly 6: number }>> = {
  icmp: { 4: 1, 6: 58 },
  tcp: { 4: 6, 6: 6 },
  udp: { 4: 17, 6: 17 },
  sctp: { 4: 132, 6: 132 },
};

export function questionText({ protocol, port }: Question): string {
  return port === undefined ? 'ping' : `${protocol} ${port}`;
}
