/** What the daemon tells about itself: `GET /v1/status` of its control socket. */
export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly rssBytes: number;
  /** Of the last one to two minutes. */
  readonly eventLoopDelayMs: LoopDelay;
  readonly calls: Calls;
  /** Paths, or systemd's names. */
  readonly sockets: { readonly cni: string; readonly docker?: string; readonly control: string };
  /** The newest first. */
  readonly lastErrors: readonly LastError[];
}

/** How late the daemon's thread was, in milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Calls in progress, and claimed ones that wait for their turn. */
export interface Calls {
  readonly running: number;
  readonly waiting: number;
}

/** A failed call. */
export interface LastError {
  /** ISO 8601. */
  readonly at: string;
  readonly operation: string;
  /** `network web, container 1f0c, ifname eth0`. */
  readonly subject: string;
  readonly message: string;
  /** Of CNI, or the HTTP status. */
  readonly code: number;
}

/** `absent`: nothing listens. `hung`: no answer in time. `refused`: this user may not ask. `old`: a daemon without this socket. */
export type ControlAnswer =
  | { readonly state: 'answers'; readonly status: DaemonStatus }
  | { readonly state: 'absent' | 'hung' | 'refused' | 'old' | 'broken'; readonly why: string };
