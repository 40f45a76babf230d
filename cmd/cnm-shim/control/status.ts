import type { Logger } from '../../../src/shared/log/log.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import type { LoopDelay, LoopWatch } from './loop-delay.ts';
import type { LastError, Operations } from './operations.ts';

/** Calls in progress, and claimed ones that wait for their turn. */
export interface Calls {
  readonly running: number;
  readonly waiting: number;
}

/** `GET /v1/status`. */
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

/** What the control socket's answers are made of. */
export interface DaemonFacts {
  readonly startedAt: Date;
  readonly sockets: DaemonStatus['sockets'];
  readonly operations: Operations;
  readonly loop: LoopWatch;
  readonly calls: () => Calls;
  /** Packet filter entries that were missing after the last pass; undefined if that is not known. */
  readonly missingRules: () => number | undefined;
  /** The caller disposes of it. */
  readonly core: () => CallCore;
  readonly log: Logger;
}

/** Reads no state and asks no kernel: it is answered while both hang. */
export function statusOf({ startedAt, sockets, operations, loop, calls }: DaemonFacts): DaemonStatus {
  return {
    version: PROGRAM_VERSION,
    pid: process.pid,
    startedAt: startedAt.toISOString(),
    // From the monotonic clock: doctor compares it with `startedAt` and finds changes of the wall clock.
    uptimeSeconds: Math.floor(process.uptime()),
    rssBytes: process.memoryUsage.rss(),
    eventLoopDelayMs: loop.read(),
    calls: calls(),
    sockets,
    lastErrors: operations.lastErrors(),
  };
}
