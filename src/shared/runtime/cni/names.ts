import { basename } from 'node:path';

/** What the executable is called as; argv[0] selects. */
export type PluginName =
  | 'isthmus'
  | 'bridge'
  | 'host-local'
  | 'loopback'
  | 'static'
  | 'bandwidth'
  | 'firewall'
  | 'portmap'
  | 'tuning';

/** Those that add to what the plugins before them in a list have made. */
const CHAINED: readonly PluginName[] = ['bandwidth', 'firewall', 'portmap', 'tuning'];

const DROP_INS: readonly PluginName[] = ['bridge', 'host-local', 'loopback', 'static', ...CHAINED];

/** True for a name whose calls `chained.ts` answers. */
export function isChained(name: PluginName): boolean {
  return CHAINED.includes(name);
}

/** The plugin that an invocation path names; every name that is no drop-in's is Isthmus itself. */
export function pluginName(argv0: string): PluginName {
  const name = basename(argv0);
  return DROP_INS.find((known) => known === name) ?? 'isthmus';
}
