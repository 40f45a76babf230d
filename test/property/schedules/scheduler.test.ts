import { strict as assert } from 'node:assert';
import type { PartyCore } from './gate.ts';
import type { Party } from './process.ts';
import { type Run, runSchedule, type Schedule } from './scheduler.ts';
import { World } from './world.ts';

/** Reads a number, waits for a lock on request, and writes the number plus one. */
function counter(name: string, lock?: string): Party {
  return {
    name,
    run: async (core) => {
      using _held = lock === undefined ? undefined : await core.lock(lock);
      const before = Number(core.store.notes.get('count') ?? 0);
      core.store.notes.put('count', String(before + 1));
      return before;
    },
  };
}

function countOf(world: World): string | undefined {
  return world.openStore().notes.get('count');
}

/** Each party in a process of its own. */
function apart(world: World, parties: readonly Party[], schedule: Schedule): Promise<Run> {
  const specs = parties.map((party) => ({ parties: [party], isDaemon: false }));
  return runSchedule(world, specs, schedule);
}

describe('schedules: the scheduler', () => {
  it('runs another process between two synchronous steps, and loses an update there', async () => {
    const counts: (string | undefined)[] = [];
    for (const steps of [0, 1, 2, 3]) {
      const world = new World();
      await apart(world, [counter('a'), counter('b')], { first: 0, turns: [steps] });
      counts.push(countOf(world));
    }
    assert.deepEqual(counts, ['2', '2', '1', '2']);
  });

  it('runs no party of the same process between two synchronous steps', async () => {
    for (const steps of [0, 1, 2, 3]) {
      const world = new World();
      const specs = [{ parties: [counter('a'), counter('b')], isDaemon: true }];
      await runSchedule(world, specs, { first: 0, turns: [steps] });
      assert.equal(countOf(world), '2');
    }
  });

  it('blocks at a lock, and reports who waits', async () => {
    for (const steps of [0, 1, 2, 3, 4]) {
      const world = new World();
      const { lines } = await apart(world, [counter('a', 'k'), counter('b', 'k')], { first: 0, turns: [steps] });
      assert.equal(countOf(world), '2');
      assert.equal(
        lines.some((line) => line.includes('process B: b waits: takes lock k')),
        steps === 2 || steps === 3,
      );
    }
  });

  it('executes each step once, however often it stops a process', async () => {
    const world = new World();
    const adder = (name: string): Party => ({
      name,
      run: async ({ store: { notes } }) => {
        for (let i = 0; i < 5; i++) notes.put(name, String(Number(notes.get(name) ?? 0) + 1));
      },
    });
    await apart(world, [adder('a'), adder('b')], { first: 0, turns: [3, 4, 3, 0, 1, 0, 2] });
    const { notes } = world.openStore();
    assert.deepEqual([notes.get('a'), notes.get('b')], ['5', '5']);
  });

  it('kills a process at a step: it stops, its transaction rolls back, and its locks are free', async () => {
    const world = new World();
    const dying: Party = {
      name: 'a',
      run: async ({ lock, store }: PartyCore) => {
        using _held = await lock('k');
        try {
          store.transaction(() => {
            store.notes.put('count', '7');
            store.notes.put('more', '7');
          });
        } finally {
          store.notes.put('clean', '1');
        }
      },
    };
    const kill = { party: 0, step: 4 };
    const { outcomes, stuck } = await apart(world, [dying, counter('b', 'k')], { first: 0, turns: [], kill });
    assert.equal(stuck, undefined);
    assert.equal(outcomes[0]?.killed, true);
    assert.equal(outcomes[1]?.value, 0);
    assert.equal(world.openStore().notes.get('clean'), undefined);
    assert.deepEqual(world.locks.held, []);
  });

  it('reports a deadlock of two parties', async () => {
    const both = (name: string, first: string, second: string): Party => ({
      name,
      run: async ({ lock }) => {
        using _one = await lock(first);
        using _two = await lock(second);
      },
    });
    const { stuck } = await apart(new World(), [both('a', 'x', 'y'), both('b', 'y', 'x')], { first: 0, turns: [2] });
    assert.match(stuck ?? '', /process A: a takes lock y and process B: b takes lock x/);
  });
});
