import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { ANSWER_MS, ELECTION_MS, Patience } from '../../src/shared/cluster/deadline.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';

const away = (): Promise<never> => Promise.reject(fault.unavailable('etcd', 'store', 'it is away', 'Wait'));

describe('cluster: how long calls wait for the store', () => {
  let now = 0;
  let lostSince: number | undefined;
  const patience = (elects: boolean): Patience => new Patience({ elects, lostSince: () => lostSince, now: () => now });

  beforeEach(() => {
    now = 1_000_000;
    lostSince = undefined;
  });

  it('a single member elects nobody: always the shorter time', async () => {
    const one = patience(false);
    assert.equal(one.limit(), ANSWER_MS);
    lostSince = now;
    assert.equal(one.limit(), ANSWER_MS);
    await assert.rejects(one.within('ADD', 'network web', away), NetError);
    assert.equal(one.limit(), ANSWER_MS);
  });

  it('several members: the longer time, and the shorter one once an election must be over', async () => {
    const many = patience(true);
    assert.equal(many.limit(), ELECTION_MS);
    await assert.rejects(many.within('ADD', 'network web', away), NetError);
    assert.equal(many.limit(), ELECTION_MS);
    now += 1_000;
    assert.equal(many.limit(), ELECTION_MS - 1_000);
    now += 1_000;
    assert.equal(many.limit(), ANSWER_MS);
    now += 3_600_000;
    await assert.rejects(many.within('ADD', 'network web', away), NetError);
    assert.equal(many.limit(), ANSWER_MS, 'still the same outage');
    await many.within('ADD', 'network web', async () => 1);
    assert.equal(many.limit(), ELECTION_MS, 'it is over');
  });

  it('several members: a watch that is late tells of an outage before the first call', () => {
    const many = patience(true);
    lostSince = now - 60_000;
    assert.equal(many.limit(), ANSWER_MS);
    lostSince = now - 500;
    assert.equal(many.limit(), ELECTION_MS - 500);
  });

  it('an answer that is no failure of the store ends the outage', async () => {
    const many = patience(true);
    await assert.rejects(many.within('ADD', 'network web', away), NetError);
    now += 60_000;
    const taken = (): Promise<never> => Promise.reject(fault.conflict('ipam', 'address', 'taken', 'Ask for another'));
    await assert.rejects(many.within('ADD', 'network web', taken), NetError);
    assert.equal(many.limit(), ELECTION_MS);
  });

  it('work that throws at once: that is the outcome, and nothing comes after it', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const broken = (): Promise<never> => {
      throw fault.unavailable('cluster', 'host a', 'it has not joined', 'Wait');
    };
    await assert.rejects(patience(false).within('ADD', 'network web', broken), /it has not joined/);
    await sleep(ANSWER_MS + 100);
    process.off('unhandledRejection', note);
    assert.deepEqual(unhandled, []);
  });

  it('names the time that has passed, and tells the work', async () => {
    let told: unknown;
    const slow = (signal: AbortSignal): Promise<void> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          told = signal.reason;
          reject(new Error('late'));
        });
      });
    await assert.rejects(patience(false).within('ADD', 'network web', slow), /network web: .*within 1\.4 s/);
    assert.ok(told instanceof NetError);
  });
});
