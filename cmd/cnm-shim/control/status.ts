import type { Logger } from '../../../src/shared/log/log.ts';
import type { Calls, DaemonStatus } from '../../../src/shared/ops/control.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import type { LoopWatch } from './loop-delay.ts';
import type { Operations } from './operations.ts';

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
