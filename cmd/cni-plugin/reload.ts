import { reconcile } from '../../src/shared/core/reconcile.ts';
import { combineErrors } from '../../src/shared/errors/net-error.ts';
import { openCore, stateDirOf } from '../../src/shared/runtime/context.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { lock } from '../../src/shared/store/locks.ts';

/** The verb `reload`: restores what the records require and the host lacks. Returns the lines to print. */
export async function reloadVerb(env: Environment): Promise<string> {
  await using core = openCore(env);
  const tryLock = (key: string): Disposable => lock(stateDirOf(env), key, { waitMs: 0 });
  const { entries, mended, errors } = await reconcile(core, { tryLock, sweep: true });
  const failure = combineErrors(errors, 'reload');
  if (failure !== undefined) throw failure;
  const lines = [
    ...(entries === 0 ? [] : [`put back ${entries} ${entries === 1 ? 'entry' : 'entries'} of the packet filter`]),
    ...mended,
  ];
  return `${lines.length === 0 ? 'nothing to put back' : lines.join('\n')}\n`;
}
