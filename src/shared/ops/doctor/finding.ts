/** A change that mends a finding and cannot do harm: `--fix` makes it. */
export type Repair =
  /** Restores what the records need and the host lacks. */
  | { readonly kind: 'reload' }
  /** Gives a file or directory this mode. */
  | { readonly kind: 'mode'; readonly path: string; readonly mode: number }
  /** Releases an address that no endpoint has. */
  | { readonly kind: 'release'; readonly scope: string; readonly address: string }
  /** Makes the records agree with this boot. */
  | { readonly kind: 'catch-up' }
  | { readonly kind: 'modprobe'; readonly module: string };

/** One thing that is wrong, and its cause. */
export interface Finding {
  /** Name of the rule: `forwarding-off`. */
  readonly rule: string;
  /** `error`: something does not work. `warning`: it will not for long, or only seems to. */
  readonly level: 'error' | 'warning';
  /** What has it: `network web`, `sysctl net.ipv4.ip_forward`. */
  readonly subject: string;
  readonly what: string;
  /** What it leads to. */
  readonly why: string;
  /** The command that mends it, or what to do. */
  readonly cure: string;
  readonly repair?: Repair;
  /** Names of the networks that it concerns; absent: all of the host. */
  readonly networks?: readonly string[];
  /** Ids of the containers or Docker endpoints that it concerns. */
  readonly containers?: readonly string[];
}

/** A finding without the name of its rule, which the registry adds. */
export type Found = Omit<Finding, 'rule'>;
