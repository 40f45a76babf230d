import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { hostId } from '../../src/shared/model/attachment.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { makeTempDir } from '../support/temp.ts';
import { addr, attachment, FIRST_BOOT, lease } from '../unit/store-behaviour.ts';

/** Addresses close together, and at both ends of each family. */
const address = fc
  .oneof(
    fc.nat(15).map((n) => `10.0.0.${n}`),
    fc.nat(3).map((n) => `255.255.255.${252 + n}`),
    fc.nat(7).map((n) => `::${n}`),
    fc.nat(7).map((n) => `ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff${(8 + n).toString(16)}`),
  )
  .map(addr);

type Command = (store: LocalStore) => unknown;
const outcome = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return String(error);
  }
};
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(address, fc.nat(3)).map(
    ([at, id]): Command =>
      (store) =>
        store.leases.take({ ...lease('::', `c${id}`), address: at }),
  ),
  address.map(
    (at): Command =>
      (store) =>
        store.leases.release('pool', at),
  ),
  address.map(
    (at): Command =>
      (store) =>
        store.leases.runAt('pool', at),
  ),
  fc.tuple(address, address).map(
    ([a, b]): Command =>
      (store) =>
        a.family === b.family ? store.leases.count('pool', a, b) : 0,
  ),
  fc.nat(3).map(
    (id): Command =>
      (store) =>
        store.leases.list('pool', attachment(`c${id}`)),
  ),
);

describe('property: stores', () => {
  it('answer the same in SQLite and in memory for any leases and releases', () => {
    using directory = makeTempDir();
    let host = 0;
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const identity = { ...FIRST_BOOT, hostId: hostId(`h${host++}`) };
        using real = openSqliteStore({ stateDir: directory.path, identity });
        const plain = new MemoryStore(identity);
        for (const run of commands)
          assert.deepEqual(
            outcome(() => run(real)),
            outcome(() => run(plain)),
          );
        assert.deepEqual(real.leases.list('pool'), plain.leases.list('pool'));
      }),
      { numRuns: 150 },
    );
  });
});
