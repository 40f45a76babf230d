import { fstatSync } from 'node:fs';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import { about } from './about.ts';
import { answer } from './answer.ts';
import { openCore } from './context.ts';
import { type PluginName, pluginName } from './names.ts';
import { makePhases } from './phases.ts';
import { readInput } from './request.ts';
import { writeAll } from './respond.ts';

/** One call, from environment and stdin to stdout. Returns the exit code. */
async function main(): Promise<number> {
  const plugin = pluginName(process.argv[1] ?? '');
  const { env } = process;
  if (!env.CNI_COMMAND) return await verb(plugin, process.argv.slice(2));
  // performance.now() would load all of perf_hooks.
  const phases = makePhases(() => process.uptime() * 1000, 0);
  const { code, stdout } = await answer({
    plugin,
    env,
    isMute: () => fstatSync(0).isCharacterDevice(),
    read: readInput,
    open: () => openCore(env, phases),
    phases,
  });
  writeAll(1, stdout);
  return code;
}

/** Without CNI_COMMAND: `reload`, or a word about what this is. */
async function verb(plugin: PluginName, words: readonly string[]): Promise<number> {
  if (words[0] !== 'reload') {
    writeAll(2, about(plugin));
    return 0;
  }
  try {
    const { reloadVerb } = await import('./reload.ts');
    writeAll(1, await reloadVerb(process.env));
    return 0;
  } catch (thrown) {
    writeAll(2, `${asNetError(thrown, 'reload').message}\n`);
    return 1;
  }
}

main().then((code) => process.exit(code));
