import { strict as assert } from 'node:assert';
import { catchUp } from '../../src/shared/core/reconcile.ts';
import { add, del, makeCore, makeFakeHost, OTHER } from '../support/core.ts';

describe('core: notes', () => {
  it('are deleted with the last endpoint of a network that is not persistent', async () => {
    const core = makeCore(makeFakeHost());
    const scopeNotes = (): string[] => core.store.notes.keys('').filter((key) => /^(cursor|directory) /.test(key));
    for (const id of ['a', 'b', 'c']) {
      await add(core, { id });
      assert.equal(scopeNotes().length > 0, true);
      assert.deepEqual(await del(core, { id }), []);
      assert.deepEqual(scopeNotes(), []);
    }
    await add(core, { id: 'a' });
    await add(core, { id: 'b', netns: OTHER });
    const before = scopeNotes();
    assert.deepEqual(await del(core, { id: 'a' }), []);
    assert.deepEqual(scopeNotes(), before);
  });

  it('of earlier boots and of unused scopes are deleted by the first call of a boot', () => {
    const core = makeCore(makeFakeHost());
    const { notes } = core.store;
    for (const key of ['rebuilt:an earlier boot', 'cursor /d/gone 0', 'directory /d/gone']) notes.put(key, '10.0.0.2');
    catchUp(core);
    assert.deepEqual(notes.keys(''), ['changes', `rebuilt:${core.host.identity.bootId}`]);
  });
});
