import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import { startProxy } from '../support/byte-proxy.ts';
import { create, creation, hasKey, isBack, isLost, isSnapshot, watchOf } from './cluster-store-behaviour.ts';
import { ofKind } from './store-behaviour.ts';

/** A real store, and how to open a client of it. */
export interface ConnectedPlace {
  readonly open: (...endpoints: readonly string[]) => Promise<ClusterStore>;
  readonly endpoints: () => readonly string[];
  /** For sockets of the tests. */
  readonly directory: () => string;
  /** Path of the store's own socket. */
  readonly socket: () => string;
  /** After so many bytes of an answer the connection is cut. */
  readonly cuts: readonly number[];
}

/** The milliseconds that the call takes, and its error if it fails. */
export async function timed(call: () => Promise<unknown>): Promise<{ readonly ms: number; readonly error?: unknown }> {
  const since = performance.now();
  try {
    await call();
    return { ms: performance.now() - since };
  } catch (error) {
    return { ms: performance.now() - since, error };
  }
}

/** As `create`. During an election calls may fail, each in time. */
export async function createSoon(
  store: ClusterStore,
  entries: Readonly<Record<string, string>>,
  attempts: number,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const since = performance.now();
    try {
      await create(store, entries);
      return;
    } catch (error) {
      if (attempt === attempts) throw error;
      ofKind('unavailable')(error);
    } finally {
      // A list and a commit.
      assert.ok(performance.now() - since < 6_000);
    }
  }
}

/** Tests of connections that break, for a suite whose hooks make the place. */
export function itSurvivesConnections({ open, endpoints, directory, socket, cuts }: ConnectedPlace): void {
  it('cut in the middle of a message: the watch goes on, and misses nothing', async () => {
    const path = join(directory(), 'cut.sock');
    await using proxy = await startProxy(path, socket());
    using store = await open(`unix://${path}`);
    using direct = await open(...endpoints());
    for (const [round, bytes] of cuts.entries()) {
      await using watched = watchOf(store, `cut${round}/`);
      await watched.until('a snapshot', isSnapshot);
      await create(direct, { [`cut${round}/first`]: 'x' });
      await watched.until('the first change', hasKey(`cut${round}/first`));
      proxy.cutAfter(bytes);
      await create(direct, { [`cut${round}/long`]: 'y'.repeat(2_000) });
      await create(direct, { [`cut${round}/last`]: 'z' });
      await watched.until('lost', isLost);
      await watched.until('back', isBack);
      await watched.until('the last change', hasKey(`cut${round}/last`));
      const keys = watched.items.flatMap((item) => (item.kind === 'changes' ? item.changes.map(({ key }) => key) : []));
      assert.deepEqual(
        keys,
        ['first', 'long', 'last'].map((key) => `cut${round}/${key}`),
      );
    }
  });

  it('cut in the middle of a commit: it happens once', async () => {
    const path = join(directory(), 'commit.sock');
    await using proxy = await startProxy(path, socket());
    using store = await open(`unix://${path}`);
    using direct = await open(...endpoints());
    const { epoch } = await store.list('none/');
    await using watched = watchOf(direct, 'once/');
    await watched.until('a snapshot', isSnapshot);
    for (let index = 0; index < 40; index++) {
      proxy.cutAfter(index * 13);
      const { done } = await store.commit(creation({ epoch }, { [`once/${index}`]: `claim ${index}` }));
      assert.ok(done, `commit ${index} takes its own effect for another's`);
    }
    await watched.until('the last one', hasKey('once/39'));
    const keys = watched.items.flatMap((item) => (item.kind === 'changes' ? item.changes.map(({ key }) => key) : []));
    assert.deepEqual(
      keys,
      Array.from({ length: 40 }, (_, index) => `once/${index}`),
    );
  });

  it('an endpoint that accepts and never answers costs one deadline, then the next one serves', async () => {
    const path = join(directory(), 'mute.sock');
    await using proxy = await startProxy(path);
    using alone = await open(`unix://${path}`);
    const { ms, error } = await timed(() => alone.list(''));
    assert.ok(ofKind('unavailable', /mute\.sock: no answer within 1\.5 s/)(error));
    assert.ok(ms < 2_000, `${ms} ms`);
    for (let attempt = 0; attempt < 4; attempt++) {
      using store = await open(`unix://${path}`, ...endpoints());
      const first = await timed(() => store.list(''));
      assert.equal(first.error, undefined);
      assert.ok(first.ms < 2_500, `${first.ms} ms`);
      const second = await timed(() => store.list(''));
      assert.ok(second.ms < 1_000, `${second.ms} ms: it should have stayed with the one that answers`);
    }
    assert.ok(proxy.connections > 0);
  });

  it('a connection that goes silent: the watch is lost within ten seconds', async () => {
    const path = join(directory(), 'silent.sock');
    await using proxy = await startProxy(path, socket());
    using store = await open(`unix://${path}`);
    using direct = await open(...endpoints());
    await using watched = watchOf(store, 'silent/');
    await watched.until('a snapshot', isSnapshot);
    await create(direct, { 'silent/1': 'x' });
    await watched.until('a change', hasKey('silent/1'));
    proxy.mute();
    await create(direct, { 'silent/2': 'x' });
    await watched.until('lost', isLost, 10_000);
  });
}
