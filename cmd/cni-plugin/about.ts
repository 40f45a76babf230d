import manifest from '../../package.json' with { type: 'json' };
import type { PluginName } from '../../src/shared/runtime/cni/names.ts';
import { SUPPORTED } from '../../src/shared/runtime/cni/versions.ts';

/** The release of the reference plugins whose configuration the drop-in names take. */
const REFERENCE = '1.9.1';

/**
 * What the plugin is, for somebody who runs it without CNI_COMMAND; in the reference's words, which tools parse:
 * nerdctl wants firewall to be 1.1.0 or newer. Under a drop-in name the version is the reference's, with our own behind it.
 */
export function about(plugin: PluginName): string {
  const own = manifest.version;
  const version = plugin === 'isthmus' ? own : `${REFERENCE}+isthmus.${own}`;
  return `CNI ${plugin} plugin v${version}\nCNI protocol versions supported: ${SUPPORTED.join(', ')}\n`;
}
