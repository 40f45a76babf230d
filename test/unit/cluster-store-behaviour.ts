import { strict as assert } from 'node:assert';
import type {
  ClusterChange,
  ClusterStore,
  KeyChange,
  Snapshot,
  WatchItem,
} from '../../src/shared/store/cluster/cluster-store.ts';
import { ofKind } from './store-behaviour.ts';

/** A cluster's store with its faults. */
export interface ClusterPlace extends AsyncDisposable {
  /** Another host's store. */
  open(): Promise<ClusterStore>;
  /** Nothing answers until `resume`. */
  stop(): void;
  resume(): void;
  /** All data is lost; the store is there again, with the same flags. */
  wipe(): Promise<void>;
  /** What changed so far is forgotten. */
  compact(): Promise<void>;
  /** The store ends a session by itself. */
  endSession(id: string): Promise<void>;
}

/** Items of one watch, in the order of their arrival. */
export interface Watched extends AsyncDisposable {
  readonly items: readonly WatchItem[];
  /** The first item, from the last one returned on, for which `isIt` is true. */
  until<T extends WatchItem>(what: string, isIt: (item: WatchItem) => item is T, ms?: number): Promise<T>;
  /** The entries that a consumer holds who did as the items say. */
  entries(): ReadonlyMap<string, string>;
}

export function watchOf(store: ClusterStore, prefix: string): Watched {
  const stop = new AbortController();
  const items: WatchItem[] = [];
  let taken = 0;
  let wake = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const item of store.watch(prefix, stop.signal)) {
      items.push(item);
      wake.resolve();
      wake = Promise.withResolvers();
    }
  })();
  return {
    items,
    async until(what, isIt, ms = 15_000) {
      const end = Date.now() + ms;
      for (;;) {
        while (taken < items.length) {
          const item = items[taken++];
          if (item !== undefined && isIt(item)) return item;
        }
        const left = end - Date.now();
        const kinds = items.map(({ kind }) => kind).join(' ');
        if (left <= 0) throw new Error(`not within ${ms} ms: ${what}, only ${kinds}`);
        const timer = setTimeout(wake.resolve, left);
        await wake.promise;
        clearTimeout(timer);
      }
    },
    entries() {
      const held = new Map<string, string>();
      for (const item of items) {
        if (item.kind === 'snapshot') {
          held.clear();
          for (const { key, value } of item.entries.values()) held.set(key, value);
        } else if (item.kind === 'changes')
          for (const change of item.changes)
            if (change.kind === 'put') held.set(change.key, change.value);
            else held.delete(change.key);
      }
      return held;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

export const isSnapshot = (item: WatchItem): item is Extract<WatchItem, { kind: 'snapshot' }> =>
  item.kind === 'snapshot';
export const isLost = (item: WatchItem): item is Extract<WatchItem, { kind: 'lost' }> => item.kind === 'lost';
export const isBack = (item: WatchItem): item is Extract<WatchItem, { kind: 'back' }> => item.kind === 'back';
export const hasKey =
  (key: string) =>
  (item: WatchItem): item is WatchItem =>
    (item.kind === 'changes' && item.changes.some((change) => change.key === key)) ||
    (item.kind === 'snapshot' && item.entries.has(key));

/** A change that puts new entries. */
export function creation({ epoch }: Pick<Snapshot, 'epoch'>, entries: Readonly<Record<string, string>>): ClusterChange {
  const put = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { epoch, compare: put.map(({ key }) => ({ kind: 'absent', key })), put };
}

/** Puts new entries; fails if one of them is there. */
export async function create(store: ClusterStore, entries: Readonly<Record<string, string>>): Promise<void> {
  const { done } = await store.commit(creation(await store.list('none/'), entries));
  assert.ok(done);
}

/** Tests the behaviour of every ClusterStore. */
export function describeClusterStore(name: string, make: () => Promise<ClusterPlace>): void {
  describe(name, function () {
    this.timeout(60_000);
    let place: ClusterPlace;
    let store: ClusterStore;
    let other: ClusterStore;
    before(async () => {
      place = await make();
    });
    after(async () => place?.[Symbol.asyncDispose]());
    beforeEach(async () => {
      store = await place.open();
      other = await place.open();
    });
    afterEach(async () => {
      const { entries, epoch } = await store.list('');
      const keys = [...entries.keys()];
      for (let at = 0; at < keys.length; at += 50) {
        const deleted = keys.slice(at, at + 50);
        const compare = deleted.flatMap((key) => {
          const entry = entries.get(key);
          return entry === undefined ? [] : { kind: 'version' as const, key, version: entry.version };
        });
        await store.commit({ epoch, compare, delete: deleted });
      }
      store[Symbol.dispose]();
      other[Symbol.dispose]();
    });

    it('lists the entries below a prefix, with values and versions', async () => {
      await create(store, { 'a/n1/1': 'one', 'a/n1/2': 'zwei €', 'a/n10/1': 'other', 'b/1': '' });
      const { entries, epoch, at } = await other.list('a/n1/');
      assert.deepEqual(
        [...entries.values()].map(({ key, value }) => [key, value]),
        [
          ['a/n1/1', 'one'],
          ['a/n1/2', 'zwei €'],
        ],
      );
      assert.ok([...entries.values()].every(({ version }) => version > 0n && version <= at));
      assert.equal((await store.list('b/')).entries.get('b/1')?.value, '');
      assert.equal(epoch, (await store.list('')).epoch);
      assert.deepEqual([...(await store.list('')).entries.keys()], ['a/n1/1', 'a/n1/2', 'a/n10/1', 'b/1']);
    });

    it('makes all of a change, or nothing', async () => {
      await create(store, { 'a/1': 'mine' });
      const change = creation(await other.list(''), { 'a/1': 'theirs', 'a/2': 'theirs' });
      const { done, found } = await other.commit(change);
      assert.equal(done, false);
      assert.deepEqual(
        found.map(({ key, value }) => [key, value]),
        [['a/1', 'mine']],
      );
      assert.deepEqual([...(await store.list('a/')).entries.keys()], ['a/1']);
    });

    it('compares versions and values', async () => {
      await create(store, { k: '1' });
      const { entries, epoch } = await store.list('k');
      const version = entries.get('k')?.version ?? 0n;
      const put = (value: string) => [{ key: 'k', value }];
      const updated = { epoch, compare: [{ kind: 'version', key: 'k', version }], put: put('2') } as const;
      assert.equal((await store.commit(updated)).done, true);
      assert.equal((await other.commit({ ...updated, put: put('3') })).done, false);
      const byValue = { epoch, compare: [{ kind: 'value', key: 'k', value: '2' }], put: put('4') } as const;
      assert.equal((await other.commit(byValue)).done, true);
      assert.equal((await other.commit({ ...byValue, put: put('5') })).done, false);
      const absent = { epoch, compare: [{ kind: 'value', key: 'none', value: '' }], delete: ['none'] } as const;
      assert.equal((await other.commit(absent)).done, true, 'what is to be deleted is absent');
    });

    it('no key has version 0, not even an absent one', async () => {
      await create(store, { k: '1' });
      const { epoch } = await store.list('k');
      for (const key of ['k', 'none']) {
        const compare = [{ kind: 'version', key, version: 0n }] as const;
        assert.equal((await store.commit({ epoch, compare, put: [{ key, value: '2' }] })).done, false, key);
      }
      assert.deepEqual(
        [...(await store.list('')).entries.values()].map(({ value }) => value),
        ['1'],
      );
    });

    it('compares with an empty prefix', async () => {
      await create(store, { 'u/n1/h1': 'x', 'net/n1': 'v', 'net/n2': 'v' });
      const { epoch } = await store.list('');
      const deletion = (net: string): ClusterChange => ({
        epoch,
        compare: [
          { kind: 'empty', prefix: `u/${net}/` },
          { kind: 'value', key: `net/${net}`, value: 'v' },
        ],
        delete: [`net/${net}`],
      });
      const refused = await store.commit(deletion('n1'));
      assert.equal(refused.done, false);
      assert.deepEqual(refused.found.map(({ key }) => key).sort(), ['net/n1', 'u/n1/h1']);
      assert.equal((await store.commit(deletion('n2'))).done, true);
    });

    it('takes its own effects for success when a change is repeated', async () => {
      const change = creation(await store.list(''), { 'a/1': 'h1 c1', 'a/2': 'h1 c1' });
      assert.equal((await store.commit(change)).done, true);
      assert.equal((await store.commit(change)).done, true);
      const [entry] = (await store.list('a/')).entries.values();
      assert.ok(entry);
      const { epoch, key, version } = { epoch: change.epoch, ...entry };
      const deletion: ClusterChange = { epoch, compare: [{ kind: 'version', key, version }], delete: [key] };
      assert.equal((await store.commit(deletion)).done, true);
      assert.equal((await store.commit(deletion)).done, true);
      assert.equal((await store.commit(change)).done, false, 'half of its effects are not all');
    });

    it('lets one of many hosts have a key', async () => {
      const { epoch } = await store.list('');
      const claims = Array.from({ length: 20 }, (_, index) =>
        [store, other][index % 2]?.commit(creation({ epoch }, { 'a/1': `c${index}` })),
      );
      const done = (await Promise.all(claims)).filter((outcome) => outcome?.done);
      assert.equal(done.length, 1);
    });

    it('refuses a change that nobody could repeat, or that is too large', async () => {
      const { epoch } = await store.list('');
      const put = [{ key: 'k', value: 'v' }];
      await assert.rejects(store.commit({ epoch, compare: [], put }), ofKind('internal', /key k: .*condition/));
      const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, '']));
      await assert.rejects(store.commit(creation({ epoch }, many)), ofKind('internal', /65 keys/));
      const large = creation({ epoch }, { k: 'x'.repeat(1_000_001) });
      await assert.rejects(store.commit(large), ofKind('unsupported', /key k: 1000003 bytes; at most 1000000/));
      assert.equal((await store.list('k')).entries.size, 0);
    });

    it('takes 64 keys in one change', async () => {
      const most = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`k${index}`, 'v']));
      await create(store, most);
      assert.equal((await other.list('k')).entries.size, 64);
    });

    it('watches: a snapshot, then every change in order, of its prefix', async () => {
      await create(store, { 'a/1': 'old', 'b/1': 'old' });
      await using watched = watchOf(other, 'a/');
      const snapshot = await watched.until('a snapshot', isSnapshot);
      assert.deepEqual([...snapshot.entries.keys()], ['a/1']);
      await create(store, { 'a/2': 'new', 'a/3': 'new', 'b/2': 'new' });
      const { epoch, entries } = await store.list('a/1');
      const version = entries.get('a/1')?.version ?? 0n;
      await store.commit({ epoch, compare: [{ kind: 'version', key: 'a/1', version }], delete: ['a/1'] });
      await create(store, { 'a/1': 'again' });
      await watched.until(
        'the last change',
        (item): item is WatchItem => item.kind === 'changes' && isLast(item.changes),
      );
      const changes = watched.items.flatMap((item) => (item.kind === 'changes' ? item.changes : []));
      assert.deepEqual(
        changes.map(({ kind, key }) => `${kind} ${key}`),
        ['put a/2', 'put a/3', 'delete a/1', 'put a/1'],
      );
      assert.deepEqual(Object.fromEntries(watched.entries()), { 'a/1': 'again', 'a/2': 'new', 'a/3': 'new' });
    });

    it('ends a watch by its signal, or with its store', async () => {
      const one = watchOf(store, 'a/');
      await one.until('a snapshot', isSnapshot);
      await one[Symbol.asyncDispose]();
      const closing = await place.open();
      const items: WatchItem[] = [];
      for await (const item of closing.watch('a/', new AbortController().signal)) {
        items.push(item);
        setImmediate(() => closing[Symbol.dispose]());
      }
      assert.deepEqual(
        items.map(({ kind }) => kind),
        ['snapshot'],
      );
      await assert.rejects(closing.list(''), ofKind('unavailable', /closed/));
    });

    it('deletes the entries of a session that its signal ends, and of one that the store ends', async () => {
      const end = new AbortController();
      const session = await store.session(2, end.signal);
      const host = { ...creation(await store.list(''), {}), compare: [{ kind: 'absent', key: 'host/1' }] } as const;
      const put = [{ key: 'host/1', value: 'boot 1', session }];
      assert.equal((await store.commit({ ...host, put })).done, true);
      assert.equal((await other.list('host/')).entries.get('host/1')?.session, session.id);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      assert.equal((await other.list('host/')).entries.size, 1, 'renewed');
      end.abort();
      await session.lost;
      assert.equal((await other.list('host/')).entries.size, 0);

      const second = await store.session(2, new AbortController().signal);
      assert.equal(
        (await store.commit({ ...host, put: [{ key: 'host/1', value: 'boot 1', session: second }] })).done,
        true,
      );
      await place.endSession(second.id);
      await second.lost;
      assert.equal((await other.list('host/')).entries.size, 0);
      const late = store.commit({ ...host, put: [{ key: 'host/1', value: 'boot 1', session: second }] });
      await assert.rejects(late, ofKind('unavailable'));
    });

    it("does not take an older session's entry for its own", async () => {
      const first = await store.session(10, new AbortController().signal);
      const second = await store.session(10, new AbortController().signal);
      const { epoch } = await store.list('');
      const claim = (session: typeof first): ClusterChange => ({
        epoch,
        compare: [{ kind: 'absent', key: 'host/1' }],
        put: [{ key: 'host/1', value: 'boot 1', session }],
      });
      assert.equal((await store.commit(claim(first))).done, true);
      assert.equal((await store.commit(claim(first))).done, true);
      assert.equal((await store.commit(claim(second))).done, false);
    });

    it('states its member, epoch and moment', async () => {
      const { epoch, at } = await store.list('');
      const status = await store.status();
      assert.equal(status.epoch, epoch);
      assert.ok(status.at >= at && status.hasLeader && status.lag >= 0n);
      assert.notEqual(status.member, '');
    });

    it('stopped: every call fails in time; a watch is lost, then back, and misses nothing', async () => {
      await create(store, { 'a/1': 'before' });
      await using watched = watchOf(other, 'a/');
      await watched.until('a snapshot', isSnapshot);
      place.stop();
      const lost = watched.until('lost', isLost);
      try {
        const { epoch } = lost === undefined ? { epoch: '' } : { epoch: 'x' };
        const calls = [
          ['list', () => store.list('')],
          ['commit', () => store.commit(creation({ epoch }, { 'a/9': '' }))],
          ['session', () => store.session(10, new AbortController().signal)],
          ['status', () => store.status()],
        ] as const;
        for (const [op, call] of calls) {
          const since = performance.now();
          await assert.rejects(call(), ofKind('unavailable'));
          const took = performance.now() - since;
          assert.ok(took < 3_000, `${op} took ${took} ms`);
        }
        assert.equal((await lost).error.kind, 'unavailable');
      } finally {
        place.resume();
      }
      await watched.until('back', isBack);
      await create(store, { 'a/2': 'after' });
      await watched.until('the change', hasKey('a/2'));
      assert.deepEqual([...watched.entries().keys()].sort(), ['a/1', 'a/2']);
    });

    it('compacted while a watch is lost: a snapshot replaces what it held', async () => {
      await create(store, { 'a/1': '1', 'a/2': '2' });
      await using watched = watchOf(other, 'a/');
      await watched.until('a snapshot', isSnapshot);
      await place.compact();
      await create(store, { 'a/3': '3' });
      await watched.until('a change after a compaction', hasKey('a/3'));
    });

    it('wiped: a watch yields another epoch, and commits of the old one fail', async () => {
      await create(store, Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`a/${index}`, 'old'])));
      for (let index = 0; index < 15; index++) await create(store, { [`b/${index}`]: 'old' });
      await using watched = watchOf(other, 'a/');
      const before = await watched.until('a snapshot', isSnapshot);
      const session = await store.session(2, new AbortController().signal);
      await place.wipe();
      const late = store.commit(creation(before, { 'a/99': 'late' }));
      await assert.rejects(late, ofKind('unavailable', /lost its data/));
      await create(store, { 'a/new': 'new' });
      const after = await watched.until('another epoch', isSnapshot);
      assert.notEqual(after.epoch, before.epoch);
      await create(store, { 'a/newer': 'new' });
      await watched.until('a change of the new store', hasKey('a/newer'));
      assert.deepEqual([...watched.entries().keys()].sort(), ['a/new', 'a/newer']);
      await session.lost;
    });
  });
}

const isLast = (changes: readonly KeyChange[]): boolean =>
  changes.some(({ kind, key }) => kind === 'put' && key === 'a/1');
