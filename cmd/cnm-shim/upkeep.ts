/** The schedule's time, in milliseconds. */
export interface Clock {
  now(): number;
  /** Calls `work` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void;
}

/** Neither `look` nor `pass` may reject; one of them runs at a time. */
export interface UpkeepOptions {
  /** Checks reported damage. Resolves with the actual damage: a pass follows unless it is empty. */
  readonly look: (heard: readonly string[]) => Promise<readonly string[]>;
  /** Restores everything. */
  readonly pass: (why: readonly string[]) => Promise<void>;
  /** Called before repairing damage that did not occur in the last minute. */
  readonly found?: (damage: readonly string[]) => void;
  /** Called when damage recurs so often that its passes now run only every `MAX_INTERVAL_MS`. */
  readonly fought?: (damage: string) => void;
  readonly clock?: Clock;
}

/** Schedules passes that restore what other programs removed. Disposal waits for the pass in progress. */
export interface Upkeep extends AsyncDisposable {
  /** Reports possible damage. */
  heard(damage: readonly string[]): void;
}

/** Changes that belong together arrive within this time, such as the rules of a flush. */
export const SETTLE_MS = 200;
/** Minimum time between two looks: each may read all records. */
export const LOOK_INTERVAL_MS = 500;
/** Minimum time between the starts of two passes. */
export const MIN_INTERVAL_MS = 1000;
export const MAX_INTERVAL_MS = 30_000;
/** Damage that was not reported for this long counts as new. */
export const QUIET_MS = 60_000;
/** Time between passes without any report. */
export const PERIOD_MS = 600_000;
/** More kinds of damage than this at once count as one. */
export const MAX_DAMAGE = 1000;
export const MUCH = 'too many changes to list';

interface Mended {
  /** When its last pass began, and the minimum time from then to the next one. */
  readonly at: number;
  readonly intervalMs: number;
}

/**
 * Runs a pass soon after damage is reported, at most one per second. Damage that recurs after each pass is another
 * program's intention: its passes become rarer, down to one in 30 seconds, while other damage is still repaired at
 * once.
 */
export function makeUpkeep({ look, pass, found, fought, clock = SYSTEM_CLOCK }: UpkeepOptions): Upkeep {
  /** Reported damage that was not checked yet, with the time of its first report. */
  const waiting = new Map<string, number>();
  const mended = new Map<string, Mended>();
  let lastPass = Number.NEGATIVE_INFINITY;
  let lastLook = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | undefined;
  let busy: Promise<void> | undefined;
  let open = true;

  const dueOf = (damage: string, since: number): number => {
    const before = mended.get(damage);
    const settled = Math.max(since + SETTLE_MS, lastLook + LOOK_INTERVAL_MS, lastPass + MIN_INTERVAL_MS);
    return before === undefined ? settled : Math.max(settled, before.at + before.intervalMs);
  };
  const schedule = (): void => {
    cancel?.();
    cancel = undefined;
    if (busy !== undefined || !open) return;
    const now = clock.now();
    const due = [...waiting].reduce((first, [damage, since]) => Math.min(first, dueOf(damage, since)), Infinity);
    const periodic = lastPeriod + PERIOD_MS;
    cancel = clock.after(Math.max(0, Math.min(due, periodic) - now), () => {
      cancel = undefined;
      busy = work().finally(() => {
        busy = undefined;
        schedule();
      });
    });
  };
  const work = async (): Promise<void> => {
    const now = clock.now();
    deleteQuiet(now);
    const damage = await lookAt([...waiting].filter(([one, since]) => dueOf(one, since) <= now).map(([one]) => one));
    // A pass repairs the rest as well.
    if (damage.length > 0) damage.push(...(await lookAt([...waiting.keys()])));
    const isPeriodic = now >= lastPeriod + PERIOD_MS;
    if (open && (damage.length > 0 || isPeriodic)) {
      lastPass = clock.now();
      lastPeriod = lastPass;
      note(damage, lastPass);
      await pass(damage);
    }
  };
  const lookAt = async (heard: readonly string[]): Promise<string[]> => {
    if (heard.length === 0) return [];
    for (const one of heard) waiting.delete(one);
    lastLook = clock.now();
    return [...(await look(heard))];
  };
  const note = (damage: readonly string[], now: number): void => {
    const fresh = damage.filter((one) => !mended.has(one));
    if (fresh.length > 0) found?.(fresh);
    for (const one of damage) {
      const before = mended.get(one);
      const intervalMs = before === undefined ? MIN_INTERVAL_MS : Math.min(before.intervalMs * 2, MAX_INTERVAL_MS);
      if (intervalMs === MAX_INTERVAL_MS && before?.intervalMs !== MAX_INTERVAL_MS) fought?.(one);
      mended.set(one, { at: now, intervalMs });
    }
  };
  const deleteQuiet = (now: number): void => {
    for (const [damage, { at }] of mended) if ((waiting.get(damage) ?? now) - at >= QUIET_MS) mended.delete(damage);
  };

  let lastPeriod = clock.now();
  schedule();
  return {
    heard: (damage) => {
      if (!open) return;
      const before = waiting.size;
      for (const one of damage) {
        const name = waiting.size < MAX_DAMAGE ? one : MUCH;
        if (!waiting.has(name)) waiting.set(name, clock.now());
      }
      if (waiting.size > before) schedule();
    },
    [Symbol.asyncDispose]: async () => {
      open = false;
      cancel?.();
      await busy;
    },
  };
}

const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
};
