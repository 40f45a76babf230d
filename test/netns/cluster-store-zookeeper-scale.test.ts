import { strict as assert } from 'node:assert';
import type { ClusterStore, Condition } from '../../src/shared/store/cluster/cluster-store.ts';
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { skipIf } from '../support/skip.ts';
import { makeZooKeeper, type ZooKeeperSite, zooKeeperMissing } from '../support/zookeeper.ts';
import { create, isSnapshot, watchOf } from '../unit/cluster-store-behaviour.ts';

const root = '/isthmus/test/v1/';
const HOSTS = 10;
const ENDPOINTS = 1_000;

/** The middle of the values, and the one that 99 in 100 do not exceed. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

describe('ZooKeeper: a network of 1,000 endpoints', function () {
  this.timeout(120_000);
  let site: ZooKeeperSite;
  before(async function () {
    skipIf(this, zooKeeperMissing());
    site = await makeZooKeeper();
  });
  after(async () => site?.[Symbol.asyncDispose]());

  it('ten hosts add their endpoints at once; each sees all of them, and a host that comes later lists them', async () => {
    await using opened = new AsyncDisposableStack();
    const open = (): Promise<ClusterStore> => openClusterStore({ kind: 'zookeeper', endpoints: site.endpoints, root });
    const stores = await Promise.all(Array.from({ length: HOSTS }, async () => opened.use(await open())));
    const [first] = stores;
    assert.ok(first !== undefined);
    await create(first, { 'net/n1': 'live' });
    const watches = stores.map((store) => opened.use(watchOf(store, 'a/n1/')));
    const { epoch } = await Promise.all(watches.map((watch) => watch.until('a snapshot', isSnapshot))).then(
      ([one = assert.fail()]) => one,
    );
    const version = (await first.list('net/n1')).entries.get('net/n1')?.version ?? 0n;
    const live: Condition = { kind: 'version', key: 'net/n1', version };

    const commits: number[] = [];
    let failures = 0;
    const claim = async (store: ClusterStore, key: string, value: string): Promise<void> => {
      for (;;) {
        const since = performance.now();
        try {
          const { done } = await store.commit({
            epoch,
            compare: [{ kind: 'absent', key }, live],
            put: [{ key, value }],
          });
          assert.ok(done, key);
          commits.push(performance.now() - since);
          return;
        } catch (error) {
          if (++failures > ENDPOINTS) throw error;
        }
      }
    };
    const began = performance.now();
    await Promise.all(
      stores.map(async (store, host) => {
        for (let index = 0; index < ENDPOINTS / HOSTS; index++) {
          const address = (0x0a640000 + host * 256 + index).toString(16).padStart(8, '0');
          await claim(
            store,
            `a/n1/${address}`,
            JSON.stringify({ host, mac: '02:00:0a:64:00:01', endpoint: `pod ${index}` }),
          );
        }
      }),
    );
    const added = performance.now() - began;
    const end = Date.now() + 20_000;
    const complete = (): boolean => watches.every((watch) => watch.entries().size === ENDPOINTS);
    while (!complete() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(complete(), watches.map((watch) => watch.entries().size).join());
    const seen = performance.now() - began;

    const lists: number[] = [];
    for (let index = 0; index < 10; index++) {
      await using late = new AsyncDisposableStack();
      const store = late.use(await open());
      const since = performance.now();
      assert.equal((await store.list('a/n1/')).entries.size, ENDPOINTS);
      lists.push(performance.now() - since);
    }
    const moved: number[] = [];
    for (let index = 0; index < 50; index++) {
      const since = performance.now();
      const seen = Promise.all(
        watches.map((watch) =>
          watch.until(
            'it',
            (item): item is typeof item =>
              item.kind === 'changes' && item.changes.some(({ key }) => key === `a/n1/more${index}`),
          ),
        ),
      );
      await claim(first, `a/n1/more${index}`, 'x');
      await seen;
      moved.push(performance.now() - since);
    }
    console.log(`      ${HOSTS} hosts add ${ENDPOINTS} endpoints in ${Math.round(added)} ms: ${spread(commits)}`);
    console.log(`      ${failures} calls were too late; all hosts had all after ${Math.round(seen)} ms`);
    console.log(`      list of ${ENDPOINTS} from cold: ${spread(lists)}`);
    console.log(`      one host alone, to the last of ${HOSTS} watches: ${spread(moved)}`);
  });
});
