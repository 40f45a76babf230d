import type { PluginName } from '../../src/shared/config/plugin-config.ts';
import { SUPPORTED } from '../../src/shared/config/versions.ts';
import { PROGRAM_VERSION } from '../../src/shared/runtime/program-version.ts';

/** The release of the reference plugins whose configuration the drop-in names accept. */
const REFERENCE = '1.9.1';

/**
 * The version text for a user who runs the plugin without CNI_COMMAND. It has the reference's wording, which tools
 * parse: nerdctl requires firewall 1.1.0 or newer. Under a drop-in name, the reference's version comes first and ours
 * after it.
 */
export function about(plugin: PluginName): string {
  // Build metadata has no second "+".
  const version = plugin === 'isthmus' ? PROGRAM_VERSION : `${REFERENCE}+isthmus.${PROGRAM_VERSION.replace('+', '.')}`;
  return `CNI ${plugin} plugin v${version}\nCNI protocol versions supported: ${SUPPORTED.join(', ')}\n`;
}

export const HELP_WORDS: readonly string[] = ['--help', '-h', 'help'];

/** Help of the plugin. It points to `isthmus`, the command line, which users often look for here. */
export const HELP = `The CNI plugin isthmus. Container runtimes call it with CNI_COMMAND and the other variables
of the CNI specification, and a network configuration on stdin.

  isthmus              without CNI_COMMAND: print the version
  isthmus reload       restore what the host lacks of networks and packet filter

The command line for operators is another name of this program: /usr/bin/isthmus --help
`;
