import { strict as assert } from 'node:assert';
import { allocate } from '../../src/shared/ipam/allocate.ts';
import { importDirectory } from '../../src/shared/ipam/directory.ts';
import { release, retain } from '../../src/shared/ipam/leases.ts';
import { sweepScopeNotes } from '../../src/shared/ipam/scope-notes.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { makeTempDir } from '../support/temp.ts';
import { range } from './ipam-support.ts';
import { attachment, FIRST_BOOT, lease, network, pool } from './store-behaviour.ts';

describe('ipam: notes of a scope', () => {
  let store: LocalStore;
  const sets = [[range('10.0.0.0/29')], [range('fd00::/64')]];
  const give = (id: string, scope = '/d/web'): string | undefined => {
    const [given] = allocate(store, { scope, sets, requested: [], owner: attachment(id) });
    return given && formatAddr(given.address.addr);
  };
  const notes = (): string[] => store.notes.keys('');
  beforeEach(() => {
    store = new MemoryStore(FIRST_BOOT);
  });

  it('are deleted with the last lease if no network has the scope', () => {
    using directory = makeTempDir();
    const scope = directory.path;
    importDirectory(store, scope, FIRST_BOOT);
    give('c1', scope);
    give('c2', scope);
    release(store, scope, attachment('c1'));
    assert.deepEqual(notes(), [`cursor ${scope} 0`, `cursor ${scope} 1`, `directory ${scope}`]);
    release(store, scope, attachment('c2'));
    assert.deepEqual(notes(), []);
  });

  it('are deleted when garbage collection frees the last lease', () => {
    give('c1');
    retain(store, '/d/web', 'cni', [attachment('c1')]);
    assert.equal(notes().length, 2);
    retain(store, '/d/web', 'cni', []);
    assert.deepEqual(notes(), []);
  });

  it('remain while a network has the scope, so that a freed address rests', () => {
    store.networks.put(network('web'));
    assert.equal(give('c1'), '10.0.0.2');
    release(store, '/d/web', attachment('c1'));
    assert.equal(give('c2'), '10.0.0.3');
  });

  it('of a scope with the same prefix in its name are not changed', () => {
    give('c1', '/d/web');
    give('c2', '/d/web 2');
    release(store, '/d/web', attachment('c1'));
    assert.deepEqual(notes(), ['cursor /d/web 2 0', 'cursor /d/web 2 1']);
  });

  it('are swept if the scope has no lease, no network and no pool', () => {
    const scopes = ['/d/gone', '/d/leased', '/d/known', 'docker'];
    for (const scope of scopes) store.notes.put(`cursor ${scope} 0`, '10.0.0.2');
    for (const scope of scopes) store.notes.put(`directory ${scope}`, 'x');
    store.notes.put('changes', '7');
    store.leases.take(lease('10.0.0.2', 'c1', '/d/leased'));
    store.networks.put(network('known'));
    store.pools.put(pool('p1', { scope: 'docker' }));
    const [, ...kept] = scopes;
    sweepScopeNotes(store);
    const left = ['cursor', 'directory'].flatMap((word) => kept.map((scope) => `${word} ${scope}`));
    assert.deepEqual(notes(), ['changes', ...left.map((key) => (key.startsWith('cursor') ? `${key} 0` : key))].sort());
  });
});
