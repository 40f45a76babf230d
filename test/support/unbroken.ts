import { strict as assert } from 'node:assert';
import type { Expectation } from './traffic.ts';

/** Milliseconds that an agent probes for at a time. */
const BURST = 200;

/**
 * While `work` is done, whatever goes each of these ways is answered as expected, one probe each at most excepted; and a
 * connection that was there before is there still.
 */
export async function assertUnbroken(ways: readonly Expectation[], work: () => Promise<void>): Promise<void> {
  const connections = await Promise.all(ways.map(([from, { address, port }]) => from.open(address, port)));
  let isOver = false;
  const probing = Promise.all(
    ways.map(async ([from, to, expected]) => {
      const counts = new Map<string, number>();
      // At least once after the end too.
      for (let last = false; !last; ) {
        last = isOver;
        for (const [outcome, count] of Object.entries(await from.storm(to, BURST))) {
          counts.set(outcome, (counts.get(outcome) ?? 0) + count);
        }
      }
      return { expected, counts };
    }),
  );
  try {
    await work();
  } finally {
    isOver = true;
  }
  for (const [i, { expected, counts }] of (await probing).entries()) {
    const others = [...counts].filter(([outcome]) => outcome !== expected);
    const lost = others.reduce((sum, [, count]) => sum + count, 0);
    const { name } = ways[i]?.[0] ?? { name: '' };
    assert.ok((counts.get(expected) ?? 0) > 0 && lost <= 1, `${name}: ${JSON.stringify([...counts])}`);
  }
  const greetings = connections.map(({ greeting }) => greeting);
  assert.deepEqual(await Promise.all(connections.map((connection) => connection.exchange())), greetings);
}
