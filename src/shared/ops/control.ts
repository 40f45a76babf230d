/** What the daemon tells about itself. */
export interface ControlStatus {
  readonly version: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly rssBytes: number;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly calls: { readonly running: number; readonly waiting: number };
  readonly sockets: { readonly cni: string; readonly docker?: string; readonly control: string };
  readonly lastErrors: readonly LastError[];
}

export interface LastError {
  /** ISO 8601. */
  readonly at: string;
  readonly operation: string;
  readonly subject: string;
  readonly message: string;
  /** Of CNI, or the HTTP status. */
  readonly code: number;
}

/** `absent`: nothing listens. `hung`: no answer in time. `refused`: this user may not ask. `old`: a daemon without this socket. */
export type ControlAnswer =
  | { readonly state: 'answers'; readonly status: ControlStatus }
  | { readonly state: 'absent' | 'hung' | 'refused' | 'old' | 'broken'; readonly why: string };
