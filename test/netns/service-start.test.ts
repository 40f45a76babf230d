import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CniService } from '../../cmd/cnm-shim/cni/service.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { ensureStateDir } from '../../src/shared/store/state-dir.ts';
import { enterNetns, makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';

describe('start of the daemon', () => {
  it('waits, without blocking the thread, for a process that creates the state file', async function () {
    skipIf(this, netnsMissing());
    using machine = makeNetns('host-');
    using _inside = enterNetns(machine.path);
    using temp = makeTempDir();
    const stateDir = join(temp.path, 'state');
    ensureStateDir(stateDir);
    const held = lock(stateDir, 'state.db');
    const ignore = (): void => {};
    const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    using service = new CniService({ stateDir, env: { ISTHMUS_HOST_ID: machine.name }, log });
    const started = service.reconcile({ sweep: true });
    await sleep(100);
    held[Symbol.dispose]();
    assert.deepEqual((await started).errors, []);
  });
});
