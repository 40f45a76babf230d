import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoopWatch } from '../../cmd/cnm-shim/control/loop-delay.ts';

describe('the delay of the event loop', () => {
  it('is zero before there is work, and shows how long the thread was blocked', async () => {
    using watch = new LoopWatch();
    assert.deepEqual(watch.read(), { p50: 0, p99: 0, max: 0 });
    watch.busy();
    await sleep(50);
    const until = performance.now() + 200;
    while (performance.now() < until);
    await sleep(50);
    const { p50, max } = watch.read();
    assert.ok(max > 150, `max ${max}`);
    assert.ok(p50 < max, `p50 ${p50}`);
  });
});
