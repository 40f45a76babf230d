import type { DriverSizes } from './drivers.ts';
import type { OverlaySizes } from './overlay.ts';
import type { ScaleSizes } from './scale.ts';
import type { VerbSizes } from './verbs.ts';

/** The sizes of one run of the bench. */
export interface Sizes {
  /** Pods of the calls that are compared one by one and at once. */
  readonly pods: number;
  /** The numbers of other endpoints for ADD and DEL with masquerade, a host port and a policy. */
  readonly crowd: readonly number[];
  /** How often each of these runs. */
  readonly rounds: number;
  /** Maximum number of leases in a pool. */
  readonly leases: number;
  /** Other programs' chains and elements in nftables. */
  readonly foreign: { readonly chains: number; readonly elements: number };
  readonly daemon: DaemonSizes;
  readonly docker: DockerSizes;
  readonly drivers: DriverSizes;
  readonly overlay: OverlaySizes;
  readonly scale: ScaleSizes;
  readonly verbs: VerbSizes;
}

/** Sizes for dockerd with both drivers. */
export interface DockerSizes {
  /** Warm-up rounds of a daemon. */
  readonly warm: number;
  /** Calls of each kind on each side. */
  readonly rounds: number;
  /** Numbers of published ports, and how often each of these runs. */
  readonly ports: readonly number[];
  readonly portRounds: number;
  /** UDP ports of one container with our driver, and how often it runs. */
  readonly manyPorts: number;
  readonly manyRounds: number;
}

/** Sizes for launcher and daemon. */
export interface DaemonSizes {
  /** Namespaces to connect. */
  readonly pods: number;
  /** Warm-up pairs of ADD and DEL of a daemon: a real one runs for months. */
  readonly warm: number;
  /** Calls of each side, one at a time. */
  readonly serial: number;
  /** The same with chained plugins. */
  readonly chained: number;
  readonly status: number;
  /** ADDs and DELs whose CPU time and system calls are counted. */
  readonly counted: number;
  /** ADDs without a daemon, and bare starts of Node. */
  readonly alone: number;
  /** ADDs without and with so many other endpoints. */
  readonly growth: number;
  /** The other endpoints, spread over so many networks. */
  readonly crowds: readonly { readonly endpoints: number; readonly networks: number }[];
  /** Namespaces of the other endpoints. */
  readonly homes: number;
  /** Calls at once: `few` of them 16 at once, `many` 64 at once. */
  readonly load: { readonly few: number; readonly many: number; readonly rounds: number };
  /** ADDs alone, and while others are deleted. */
  readonly stream: number;
  readonly fallback: number;
  /** Memory is read after so many pairs of ADD and DEL. */
  readonly churn: readonly number[];
}

const FULL: Sizes = {
  pods: 48,
  crowd: [0, 1, 250, 1000],
  rounds: 20,
  leases: 60_000,
  foreign: { chains: 5000, elements: 20_000 },
  daemon: {
    ...{ pods: 400, warm: 400, serial: 200, chained: 60, status: 500, growth: 200, homes: 200 },
    crowds: [
      { endpoints: 250, networks: 1 },
      { endpoints: 1000, networks: 1 },
      { endpoints: 4000, networks: 10 },
    ],
    ...{ counted: 100, alone: 40 },
    ...{ load: { few: 100, many: 400, rounds: 3 }, stream: 400, fallback: 500, churn: [2000, 10_000] },
  },
  drivers: { warm: 400, serial: 60, atOnce: 100, remote: { warm: 200, calls: 500 } },
  overlay: { pings: 40, rounds: 7 },
  scale: {
    ...{ hosts: 1000, endpoints: 30, networks: 100, processes: 4 },
    ...{ adds: 600, perSecond: 20, cold: 1000, routed: 100 },
  },
  verbs: { endpoints: 1000, networks: 10, homes: 200, rounds: 15 },
  docker: { warm: 10, rounds: 20, ports: [1, 32, 100], portRounds: 5, manyPorts: 16_384, manyRounds: 3 },
};

/** Small sizes: enough to see that everything works. */
const QUICK: Sizes = {
  pods: 8,
  crowd: [0, 1, 50],
  rounds: 3,
  leases: 2000,
  foreign: { chains: 500, elements: 2000 },
  daemon: {
    ...{ pods: 40, warm: 40, serial: 20, chained: 10, status: 50, growth: 20, homes: 10 },
    crowds: [
      { endpoints: 50, networks: 1 },
      { endpoints: 100, networks: 10 },
    ],
    ...{ counted: 20, alone: 8 },
    ...{ load: { few: 20, many: 40, rounds: 1 }, stream: 40, fallback: 50, churn: [40, 120] },
  },
  drivers: { warm: 20, serial: 10, atOnce: 20, remote: { warm: 50, calls: 100 } },
  overlay: { pings: 5, rounds: 1 },
  scale: {
    ...{ hosts: 100, endpoints: 10, networks: 20, processes: 2 },
    ...{ adds: 60, perSecond: 20, cold: 1000, routed: 20 },
  },
  verbs: { endpoints: 50, networks: 5, homes: 10, rounds: 3 },
  docker: { warm: 1, rounds: 3, ports: [1, 100], portRounds: 1, manyPorts: 16_384, manyRounds: 1 },
};

/** The sizes for the command line: `--quick` or not. */
export function sizesOf(words: readonly string[]): Sizes {
  return words.includes('--quick') ? QUICK : FULL;
}
