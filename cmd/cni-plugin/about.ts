import manifest from '../../package.json' with { type: 'json' };
import type { PluginName } from './names.ts';
import { SUPPORTED } from './versions.ts';

/** What the plugin is, for somebody who runs it without CNI_COMMAND; in the reference's words, which tools parse. */
export function about(plugin: PluginName): string {
  return `CNI ${plugin} plugin v${manifest.version}\nCNI protocol versions supported: ${SUPPORTED.join(', ')}\n`;
}
