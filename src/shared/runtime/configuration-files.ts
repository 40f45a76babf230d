import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseConfigurationFile } from '../config/document.ts';
import { readConfiguration } from '../config/read-file.ts';
import { asNetError, NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import type { CniFacts, ConfigFile } from '../ops/doctor/facts.ts';
import { CONF_DIR, EXTENSIONS, PLUGIN_DIRS, specOfElement } from './configured-network.ts';
import { isOwnPlugin } from './delegate.ts';
import type { Environment } from './environment.ts';

/**
 * Reads the CNI configuration files as a runtime does, and the names of the installed plugins. Says of each file what a
 * runtime, or a plugin of ours, would refuse it for. Never throws.
 */
export function readCniFacts(env: Environment): Omit<CniFacts, 'installed'> {
  const dir = env.ISTHMUS_CNI_CONF_DIR || CONF_DIR;
  const asked = (env.CNI_PATH ?? '').split(':').filter((each) => each !== '');
  const pluginDirs = asked.length > 0 ? asked : PLUGIN_DIRS;
  const names = entriesOf(dir).filter((name) => EXTENSIONS.includes(extname(name)));
  return {
    dir,
    files: names.toSorted().map((name) => fileFacts(join(dir, name), pluginDirs)),
    pluginDirs,
    plugins: new Set(pluginDirs.flatMap(entriesOf)),
  };
}

function fileFacts(path: string, pluginDirs: readonly string[]): ConfigFile {
  let network: string | undefined;
  let own = false;
  try {
    const file = parseConfigurationFile(readConfiguration(path), extname(path) === '.conflist');
    network = file.network;
    for (const plugin of file.plugins) {
      if (plugin.type === undefined || !(plugin.type === 'isthmus' || isOwnPlugin(plugin.type, pluginDirs))) continue;
      own = true;
      specOfElement(plugin, pluginDirs);
    }
    return { path, network, own };
  } catch (thrown) {
    const { subject, what, hint } = asNetError(thrown, 'config');
    if (!(thrown instanceof NetError)) return { path, own, problem: `it cannot be read: ${what}` };
    const problem = `${subject === 'stdin' || subject === '' ? '' : `${subject}: `}${what}${hint === '' ? '' : `. ${hint}`}`;
    return { path, own, problem, ...given({ network }) };
  }
}

function entriesOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
