import type { DryRun } from '../../../src/shared/runtime/explain/dry-run.ts';

export const FORMATS = ['script', 'json'] as const;
export const BACKENDS = ['nftables', 'iptables', 'none'] as const;

/** A port as a runtime offers it to plugins. */
export interface PublishedPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP?: string;
}

/** The options of `isthmus explain`. */
export interface ExplainOptions {
  readonly stateDir: string;
  readonly docker?: string;
  readonly container: string;
  readonly ifname: string;
  readonly netns?: string;
  readonly args: string;
  readonly address?: readonly string[];
  readonly gateway?: readonly string[];
  readonly publish?: readonly PublishedPort[];
  readonly firewall?: (typeof BACKENDS)[number];
  readonly diff?: true;
  readonly output: (typeof FORMATS)[number];
}

/** A plan with its heading. */
export interface Explained {
  readonly run: DryRun;
  /** Path of the container's namespace; absent: the plan has nothing in one. */
  readonly netns?: string;
  /** Lines that say what the plan is of. */
  readonly head: readonly string[];
  /** What others do afterwards, or before. */
  readonly notes: readonly string[];
}
