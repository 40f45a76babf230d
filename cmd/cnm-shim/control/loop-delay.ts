import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopDelay } from '../../../src/shared/ops/control.ts';

/** Milliseconds between two samples, while there is work. */
const RESOLUTION_MS = 10;
/** Milliseconds without work after which sampling stops: an idle daemon does not wake up. */
const IDLE_MS = 1000;
/** Length of a window, in milliseconds. A report covers this one and the one before. */
const WINDOW_MS = 60_000;

const NONE: LoopDelay = { p50: 0, p99: 0, max: 0 };

/** Samples the delay of the event loop while the daemon has work. */
export class LoopWatch implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #since = performance.now();
  #before = NONE;
  #timer: NodeJS.Timeout | undefined;

  /** Called when work begins. */
  busy(): void {
    this.#turn();
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.#histogram.enable();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#histogram.disable();
    }, IDLE_MS).unref();
  }

  /** Of the last one to two minutes. */
  read(): LoopDelay {
    this.#turn();
    const now = this.#current();
    const larger = (key: keyof LoopDelay): number => Math.max(now[key], this.#before[key]);
    return { p50: larger('p50'), p99: larger('p99'), max: larger('max') };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#histogram.disable();
  }

  /** Starts a new window once this one is over. */
  #turn(): void {
    const now = performance.now();
    const age = now - this.#since;
    if (age < WINDOW_MS) return;
    this.#before = age < 2 * WINDOW_MS ? this.#current() : NONE;
    this.#histogram.reset();
    this.#since = now;
  }

  #current(): LoopDelay {
    if (this.#histogram.count === 0) return NONE;
    const [p50, p99] = [50, 99].map((percent) => late(this.#histogram.percentile(percent)));
    return { p50: p50 ?? 0, p99: p99 ?? 0, max: late(this.#histogram.max) };
  }
}

/** Node reports the time between two samples, in nanoseconds. */
function late(ns: number): number {
  return Math.max(0, Math.round((ns / 1e6 - RESOLUTION_MS) * 100) / 100);
}
