/** How much of everything one run of the bench has. */
export interface Sizes {
  /** Pods of the calls that are compared one by one and at once. */
  readonly pods: number;
  /** How many other endpoints there are when ADD and DEL with masquerade, a host port and a policy are measured. */
  readonly crowd: readonly number[];
  /** How often each of these is done. */
  readonly rounds: number;
  /** Most leases in a pool. */
  readonly leases: number;
  /** Other people's chains and elements in nftables. */
  readonly foreign: { readonly chains: number; readonly elements: number };
  readonly daemon: DaemonSizes;
}

/** What is measured of launcher and daemon. */
export interface DaemonSizes {
  /** Namespaces that are there to be connected. */
  readonly pods: number;
  /** Calls one at a time, of each side. */
  readonly serial: number;
  /** The same with chained plugins. */
  readonly chained: number;
  readonly status: number;
}

const FULL: Sizes = {
  pods: 48,
  crowd: [0, 1, 250, 1000],
  rounds: 20,
  leases: 60_000,
  foreign: { chains: 5000, elements: 20_000 },
  daemon: { pods: 400, serial: 200, chained: 60, status: 500 },
};

/** Enough to see that all of it works. */
const QUICK: Sizes = {
  pods: 8,
  crowd: [0, 1, 50],
  rounds: 3,
  leases: 2000,
  foreign: { chains: 500, elements: 2000 },
  daemon: { pods: 20, serial: 20, chained: 10, status: 50 },
};

/** Those that the words of the command line ask for: `--quick` or not. */
export function sizesOf(words: readonly string[]): Sizes {
  return words.includes('--quick') ? QUICK : FULL;
}
