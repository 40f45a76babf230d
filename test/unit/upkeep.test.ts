import { strict as assert } from 'node:assert';
import {
  type Clock,
  MAX_DAMAGE,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  MUCH,
  makeUpkeep,
  PERIOD_MS,
  QUIET_MS,
  SETTLE_MS,
  type UpkeepOptions,
} from '../../cmd/cnm-shim/upkeep.ts';

/** A clock that stands still until it is advanced. */
class FakeClock implements Clock {
  #now = 0;
  #timer: { readonly at: number; readonly work: () => void } | undefined;

  now(): number {
    return this.#now;
  }

  after(ms: number, work: () => void): () => void {
    assert.equal(this.#timer, undefined, 'two timers at once');
    const timer = { at: this.#now + ms, work };
    this.#timer = timer;
    return () => {
      if (this.#timer === timer) this.#timer = undefined;
    };
  }

  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** Advances the time and runs due timers at their times. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const timer = this.#timer;
      if (timer === undefined || timer.at > end) break;
      this.#now = timer.at;
      this.#timer = undefined;
      timer.work();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}

function site(options: Partial<UpkeepOptions> = {}) {
  const clock = new FakeClock();
  const passes: { readonly at: number; readonly why: readonly string[] }[] = [];
  const [found, fought]: [string[], string[]] = [[], []];
  const upkeep = makeUpkeep({
    look: async (heard) => heard,
    pass: async (why) => void passes.push({ at: clock.now(), why }),
    found: (damage) => void found.push(damage.join('+')),
    fought: (damage) => void fought.push(damage),
    clock,
    ...options,
  });
  return { clock, passes, found, fought, upkeep, times: () => passes.map(({ at }) => at) };
}

describe('upkeep', () => {
  it('runs one pass for all changes within the settling time', async () => {
    const { clock, passes, upkeep } = site();
    upkeep.heard(['a']);
    await clock.advance(SETTLE_MS / 2);
    upkeep.heard(['b', 'a']);
    await clock.advance(PERIOD_MS / 2);
    assert.deepEqual(passes, [{ at: SETTLE_MS, why: ['a', 'b'] }]);
  });

  it('runs no pass if a look finds everything in its place', async () => {
    const looked: string[] = [];
    const { clock, passes, upkeep } = site({
      look: async (heard) => {
        looked.push(...heard);
        return [];
      },
    });
    upkeep.heard(['a']);
    await clock.advance(PERIOD_MS / 2);
    assert.deepEqual([looked, passes], [['a'], []]);
  });

  it('runs no pass without changes, except one every ten minutes', async () => {
    const { clock, passes } = site();
    await clock.advance(PERIOD_MS - 1);
    assert.deepEqual(passes, []);
    await clock.advance(2 * PERIOD_MS);
    assert.deepEqual(passes, [
      { at: PERIOD_MS, why: [] },
      { at: 2 * PERIOD_MS, why: [] },
    ]);
  });

  it('runs at most one pass a second, however much is damaged', async () => {
    const { clock, times, upkeep } = site();
    for (let i = 0; i < 100; i++) {
      upkeep.heard([`damage ${i}`]);
      await clock.advance(50);
    }
    const at = times();
    assert.equal(at.length, 5);
    for (const [i, time] of at.slice(1).entries()) assert.ok(time - (at[i] ?? 0) >= MIN_INTERVAL_MS, at.join());
  });

  it('slows down for damage that returns after each pass, to one in 30 seconds', async () => {
    const passes: number[] = [];
    const fight = site({
      pass: async () => {
        passes.push(fight.clock.now());
        fight.upkeep.heard(['a']);
      },
    });
    fight.upkeep.heard(['a']);
    await fight.clock.advance(5 * 60_000);
    const gaps = passes.slice(1).map((time, i) => time - (passes[i] ?? 0));
    assert.deepEqual(gaps.slice(0, 7), [1000, 2000, 4000, 8000, 16_000, MAX_INTERVAL_MS, MAX_INTERVAL_MS]);
    assert.deepEqual(fight.found, ['a'], 'told once');
    assert.deepEqual(fight.fought, ['a'], 'told once');
  });

  it('repairs other damage at once during a fight', async () => {
    const passes: string[] = [];
    const fight = site({
      pass: async (why) => {
        passes.push(`${fight.clock.now()} ${why.join('+')}`);
        fight.upkeep.heard(['a']);
      },
    });
    fight.upkeep.heard(['a']);
    await fight.clock.advance(70_000);
    const before = passes.length;
    await fight.clock.advance(5000);
    assert.equal(passes.length, before);
    fight.upkeep.heard(['b']);
    await fight.clock.advance(SETTLE_MS);
    assert.deepEqual(passes.slice(before), [`${75_000 + SETTLE_MS} b+a`]);
  });

  it('runs no early pass for a fight if a look finds nothing else', async () => {
    const passes: string[] = [];
    const fight = site({
      look: async (heard) => heard.filter((one) => one !== 'noise'),
      pass: async (why) => {
        passes.push(why.join('+'));
        fight.upkeep.heard(['a']);
      },
    });
    fight.upkeep.heard(['a']);
    await fight.clock.advance(70_000);
    const before = passes.length;
    for (let i = 0; i < 10; i++) {
      fight.upkeep.heard(['noise']);
      await fight.clock.advance(1000);
    }
    assert.equal(passes.length, before);
  });

  it('treats damage as new after a quiet minute', async () => {
    const { clock, times, found, upkeep } = site();
    for (const _ of [1, 2]) {
      upkeep.heard(['a']);
      await clock.advance(QUIET_MS + SETTLE_MS);
    }
    upkeep.heard(['a']);
    await clock.advance(SETTLE_MS);
    assert.deepEqual(found, ['a', 'a', 'a']);
    assert.equal(times().length, 3);
  });

  it('never runs two passes at once, and waits for a running one when it ends', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let begun = 0;
    const { clock, upkeep } = site({
      pass: () => {
        begun++;
        return promise;
      },
    });
    upkeep.heard(['a']);
    await clock.advance(SETTLE_MS);
    upkeep.heard(['b']);
    await clock.advance(60_000);
    assert.equal(begun, 1);
    let ended = false;
    const end = upkeep[Symbol.asyncDispose]().then(() => {
      ended = true;
    });
    await new Promise((wake) => setImmediate(wake));
    assert.equal(ended, false);
    resolve();
    await end;
    assert.equal(clock.isSet, false);
  });

  it('does nothing after its end', async () => {
    const { clock, passes, upkeep } = site();
    upkeep.heard(['a']);
    await upkeep[Symbol.asyncDispose]();
    upkeep.heard(['b']);
    await clock.advance(2 * PERIOD_MS);
    assert.deepEqual(passes, []);
    assert.equal(clock.isSet, false);
  });

  it('treats more kinds of damage than it can list as one', async () => {
    const { clock, passes, upkeep } = site();
    upkeep.heard(Array.from({ length: MAX_DAMAGE + 100 }, (_, i) => `damage ${i}`));
    await clock.advance(SETTLE_MS);
    assert.deepEqual([passes[0]?.why.length, passes[0]?.why.at(-1)], [MAX_DAMAGE + 1, MUCH]);
  });
});
