import { given } from '../../model/given.ts';

import { isWithoutInterface, type LoneLinkFacts } from '../../model/interface-facts.ts';

import type { NsRef } from '../../model/link.ts';

import { EMPTY_PLAN, type Plan } from '../../model/op.ts';
import { planMove } from './moved.ts';

/**
 * Creates the interface in the sandbox, or moves it there. The undo deletes it, unless another link has its name by
 * then, or moves it back. `ns`: where to create it.
 */
export function planLoneLink(
  { ifName: name, link, mac, mtu, master, alias }: LoneLinkFacts,
  ns: NsRef = 'sandbox',
): Plan {
  if (isWithoutInterface(link)) return EMPTY_PLAN;
  if (link.kind === 'moved') return planMove(link, name, alias);
  return {
    ops: [
      { op: 'link.create', ns, name, link, ...given({ mac, mtu }), alias },
      ...(master === undefined ? [] : [{ op: 'link.set', ns, name, set: { master } } as const]),
    ],
    undo: [{ op: 'link.delete', ns, name, ...given({ kind: kindOf(link) }) }],
  };
}

/** The kernel's name of the kind; undefined for hardware. */
export function kindOf(link: LoneLinkFacts['link']): string | undefined {
  if (link.kind === 'moved') return link.type;
  return link.kind === 'tap' ? 'tun' : link.kind;
}
