import { fault } from '../errors/fault.ts';
import type { Namespace } from '../host/host.ts';
import type { LinkState } from '../model/link.ts';
import type { Core } from './core.ts';
import { isPeer } from './endpoints/orphans.ts';

/**
 * Finds the veth on the host whose other end is `ifName` in the sandbox. Searches the `known` names first, then all
 * links. Throws NetError `bad-environment` if the sandbox has no such interface, `unsupported` if its other end is not
 * on the host.
 */
export function findHostSide({ host }: Core, sandbox: Namespace, ifName: string, known: readonly string[]): LinkState {
  const inside = host.observe(sandbox, { links: [ifName] }).links.get(ifName);
  if (inside === undefined) {
    throw fault.badEnvironment(
      'ADD',
      `CNI_IFNAME=${ifName}`,
      'the container has no interface of this name',
      'Put the plugin that creates it before this one in the list',
    );
  }
  for (const links of [known, 'all'] as const) {
    const found = [...host.observe(host.own, { links }).links.values()].find((link) => isPeer(link, inside));
    if (found !== undefined) return found;
  }
  throw fault.unsupported(
    'ADD',
    `link ${ifName}`,
    `is of kind ${inside.kind ?? 'none'} and has no veth on this host as its other end`,
    'Put this plugin after one that creates veth pairs, such as bridge',
  );
}
