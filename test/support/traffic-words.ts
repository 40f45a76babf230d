export type TrafficProtocol = 'tcp' | 'udp' | 'sctp';

/** The messages between traffic.ts and the child that it runs in a namespace, a line of JSON each. */
export type Command = ServeCommand | (ProbeCommand & { readonly does: 'probe' }) | StormCommand | Talk;

export interface ServeCommand {
  readonly id: number;
  readonly does: 'serve';
  readonly protocol: TrafficProtocol;
  readonly port: number;
  /** Every address of both families for tcp and sctp, every IPv4 address for udp, unless given. */
  readonly address?: string;
  /** Multicast (udp only): also what is sent to this group and comes in by this interface. */
  readonly group?: { readonly address: string; readonly interface: string };
}

export interface ProbeCommand {
  readonly id: number;
  readonly protocol: TrafficProtocol;
  readonly address: string;
  readonly port: number;
  /** Milliseconds until no answer is the answer. */
  readonly patience: number;
  /** For groups and broadcasts (udp only): sent by this interface, and anybody may answer. */
  readonly interface?: string;
}

export interface StormCommand {
  readonly id: number;
  readonly does: 'storm';
  readonly probe: ProbeCommand;
  /** Milliseconds. */
  readonly duration: number;
}

export type Talk =
  | {
      readonly id: number;
      readonly does: 'open';
      readonly protocol: 'tcp' | 'udp';
      readonly address: string;
      readonly port: number;
    }
  | { readonly id: number; readonly does: 'exchange'; readonly connection: number; readonly patience: number };

export type Answer = { readonly id: number; readonly result: string } | { readonly id: number; readonly error: string };
