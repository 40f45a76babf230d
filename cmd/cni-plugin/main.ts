import { fstatSync } from 'node:fs';
import type { PluginName } from '../../src/shared/config/plugin-config.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import { visible } from '../../src/shared/model/visible.ts';
import { answer } from '../../src/shared/runtime/cni/answer.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';
import { NODE_PREFIX, NODE_RENAMED } from '../../src/shared/runtime/cni/protocol.ts';
import { readInput } from '../../src/shared/runtime/cni/request.ts';
import { writeAll } from '../../src/shared/runtime/cni/respond.ts';
import { openCore, writeStderr } from '../../src/shared/runtime/context.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { makePhases } from '../../src/shared/runtime/phases.ts';
import { about, HELP, HELP_WORDS } from './about.ts';
import { exitAfter } from './exit.ts';

/** Runs one call, from environment and stdin to stdout. Returns the exit code. */
async function main(): Promise<number> {
  const plugin = pluginName(process.argv[1] ?? '');
  const env = callerEnvironment(process.env);
  if (!env.CNI_COMMAND) return await verb(plugin, process.argv.slice(2));
  // performance.now() would load all of perf_hooks.
  const phases = makePhases(() => process.uptime() * 1000, 0);
  const { code, stdout } = await answer({
    plugin,
    env,
    isMute: () => fstatSync(0).isCharacterDevice(),
    read: readInput,
    open: () => openCore(env, { phases }),
    stderr: writeStderr,
    phases,
  });
  writeAll(1, stdout);
  return code;
}

/** The environment that the launcher got, for delegates. */
function callerEnvironment(env: Environment): Environment {
  if (!Object.keys(env).some((name) => name.startsWith(NODE_RENAMED))) return env;
  const named = ([name, value]: [string, string | undefined]): [string, string | undefined] =>
    name.startsWith(NODE_RENAMED) ? [NODE_PREFIX + name.slice(NODE_RENAMED.length), value] : [name, value];
  return Object.fromEntries(Object.entries(env).map(named));
}

/** Without CNI_COMMAND: runs `reload`, or prints the version. Under a reference's name it only prints, as that does. */
async function verb(plugin: PluginName, words: readonly string[]): Promise<number> {
  const [word = '--version', ...more] = plugin === 'isthmus' ? words : [];
  if ([word, ...more].some((one) => HELP_WORDS.includes(one))) {
    writeAll(1, HELP);
    return 0;
  }
  if (word === '--version') {
    writeAll(2, about(plugin));
    return 0;
  }
  if (word !== 'reload' || more.length > 0) {
    writeAll(2, `isthmus: there is no verb '${visible(words.join(' '))}' here. Try --help\n`);
    return 2;
  }
  try {
    const { reloadVerb } = await import('../../src/shared/runtime/reload.ts');
    writeAll(1, await reloadVerb(process.env));
    return 0;
  } catch (thrown) {
    writeAll(2, `${asNetError(thrown, 'reload').message}\n`);
    return 1;
  }
}

exitAfter(main, process.env.CNI_COMMAND);
