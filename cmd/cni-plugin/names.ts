import { basename } from 'node:path';

/** What the executable is called as; argv[0] selects. */
export type PluginName = 'isthmus' | 'bridge' | 'host-local' | 'loopback' | 'static';

const DROP_INS: readonly PluginName[] = ['bridge', 'host-local', 'loopback', 'static'];

/** The plugin that an invocation path names; every name that is no drop-in's is Isthmus itself. */
export function pluginName(argv0: string): PluginName {
  const name = basename(argv0);
  return DROP_INS.find((known) => known === name) ?? 'isthmus';
}
