import { reload } from '../../src/shared/core/reload.ts';
import { combineErrors } from '../../src/shared/errors/net-error.ts';
import { openCore } from './context.ts';
import type { Environment } from './environment.ts';

/** The verb `reload`: puts the packet filter back as it belongs. Returns the line to print. */
export async function reloadVerb(env: Environment): Promise<string> {
  using core = openCore(env);
  const { reloaded, errors } = await reload(core);
  const failure = combineErrors(errors, 'reload');
  if (failure !== undefined) throw failure;
  const parts = reloaded.map(
    ({ backend, entries }) => `${entries} ${entries === 1 ? 'entry' : 'entries'} in ${backend}`,
  );
  return `${parts.length === 0 ? 'nothing to put back' : parts.join(', ')}\n`;
}
