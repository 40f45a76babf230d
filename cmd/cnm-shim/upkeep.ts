/** Time as the schedule sees it, in milliseconds. */
export interface Clock {
  now(): number;
  /** Calls `work` once after so long; the result calls it off. Keeps no process alive. */
  after(ms: number, work: () => void): () => void;
}

/** Neither `look` nor `pass` may reject; one of them runs at a time. */
export interface UpkeepOptions {
  /** Looks again at what was heard. Resolves with what is damaged indeed: a pass follows where it is not empty. */
  readonly look: (heard: readonly string[]) => Promise<readonly string[]>;
  /** Puts everything back. */
  readonly pass: (why: readonly string[]) => Promise<void>;
  /** Damage that was not there in the last minute is about to be mended. */
  readonly found?: (damage: readonly string[]) => void;
  /** The same damage comes back so often that a pass for it is now made every `MAX_INTERVAL_MS` only. */
  readonly fought?: (damage: string) => void;
  readonly clock?: Clock;
}

/** Schedules passes that put back what somebody took. At its end it waits for the pass under way. */
export interface Upkeep extends AsyncDisposable {
  /** These may be damaged. */
  heard(damage: readonly string[]): void;
}

/** What goes together arrives within this time, as the rules of a flush do. */
export const SETTLE_MS = 200;
/** Between two looks, at least: each may read all records. */
export const LOOK_INTERVAL_MS = 500;
/** Between the starts of two passes, at least. */
export const MIN_INTERVAL_MS = 1000;
export const MAX_INTERVAL_MS = 30_000;
/** Damage that has not been heard of for so long is new when it is heard again. */
export const QUIET_MS = 60_000;
/** A pass is made so often, whatever is heard. */
export const PERIOD_MS = 600_000;
/** More kinds of damage than this at once are one. */
export const MAX_DAMAGE = 1000;
export const MUCH = 'too many changes to list';

interface Mended {
  /** When a pass for it began last, and how long it must wait for the next one from then on. */
  readonly at: number;
  readonly intervalMs: number;
}

/**
 * A pass is made soon after damage is heard of, one a second at most. Damage that comes back after each pass is
 * somebody's will: its passes become rarer, down to one in 30 seconds, while other damage is still mended at once.
 */
export function makeUpkeep({ look, pass, found, fought, clock = SYSTEM_CLOCK }: UpkeepOptions): Upkeep {
  /** What was heard and not yet looked at, and when first. */
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
    forgetQuiet(now);
    const damage = await lookAt([...waiting].filter(([one, since]) => dueOf(one, since) <= now).map(([one]) => one));
    // A pass mends the rest as well.
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
  const forgetQuiet = (now: number): void => {
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
