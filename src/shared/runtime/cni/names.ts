import { basename } from 'node:path';
import type { PluginName } from '../../config/plugin-config.ts';

/** Chained plugins: they add to the result of earlier plugins in a list. */
const CHAINED: readonly PluginName[] = ['bandwidth', 'firewall', 'portmap', 'tuning', 'sbr', 'vrf'];

/** Plugins that make an interface on no bridge of the host. */
const INTERFACES: readonly PluginName[] = ['macvlan', 'ipvlan', 'vlan', 'ptp', 'dummy', 'tap', 'host-device'];

const DROP_INS: readonly PluginName[] = [
  'bridge',
  'dhcp',
  'host-local',
  'loopback',
  'static',
  ...INTERFACES,
  ...CHAINED,
];

/** Returns true for a name that `chained.ts` answers. */
export function isChained(name: PluginName): boolean {
  return CHAINED.includes(name);
}

/** Returns the plugin that an invocation path names; every name except the drop-ins means Isthmus itself. */
export function pluginName(argv0: string): PluginName {
  const name = basename(argv0);
  return DROP_INS.find((known) => known === name) ?? 'isthmus';
}
