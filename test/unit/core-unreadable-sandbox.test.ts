import { strict as assert } from 'node:assert';
import { leaveAmbient } from '../../src/shared/core/ambient.ts';
import { openIfThere } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { makeCore, makeFakeHost, refusedWith } from '../support/core.ts';

describe('core: a sandbox that cannot be opened', () => {
  const failure = (code: string, kind: 'io' | 'invalid-namespace'): NetError => {
    const cause = Object.assign(new Error(code), { code });
    return new NetError({ kind, op: 'open', subject: 'namespace /n', what: `opening it failed: ${code}`, cause });
  };
  const coreOf = (thrown: unknown): ReturnType<typeof makeCore> => {
    const host = makeFakeHost();
    host.open = () => {
      throw thrown;
    };
    return makeCore(host);
  };

  for (const code of ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESRCH'])
    it(`is treated as gone: ${code}`, () => {
      const core = coreOf(failure(code, 'invalid-namespace'));
      assert.equal(openIfThere(core, '/n'), undefined);
      assert.deepEqual(leaveAmbient(core, 'null', '/n'), []);
    });

  for (const [code, kind] of [
    ['EMFILE', 'io'],
    ['EIO', 'io'],
    ['EACCES', 'invalid-namespace'],
  ] as const)
    it(`is not treated as gone: ${code}`, () => {
      const core = coreOf(failure(code, kind));
      assert.throws(() => openIfThere(core, '/n'), refusedWith(kind, new RegExp(code)));
      assert.match(String(leaveAmbient(core, 'null', '/n')), new RegExp(code));
    });
});
