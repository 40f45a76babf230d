import { basename } from 'node:path';
import type { PluginName } from '../../config/plugin-config.ts';

/** Chained plugins: they add to the result of earlier plugins in a list. */
const CHAINED: readonly PluginName[] = ['bandwidth', 'firewall', 'portmap', 'tuning'];

const DROP_INS: readonly PluginName[] = ['bridge', 'host-local', 'loopback', 'static', ...CHAINED];

/** Returns true for a name that `chained.ts` answers. */
export function isChained(name: PluginName): boolean {
  return CHAINED.includes(name);
}

/** Returns the plugin that an invocation path names; every name except the drop-ins means Isthmus itself. */
export function pluginName(argv0: string): PluginName {
  const name = basename(argv0);
  return DROP_INS.find((known) => known === name) ?? 'isthmus';
}
