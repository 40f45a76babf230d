import { given } from '../../model/given.ts';
import type { LoneLinkFacts } from '../../model/interface-facts.ts';
import type { Plan } from '../../model/op.ts';

/** Creates the interface in the sandbox. The undo deletes it, unless another link has its name by then. */
export function planLoneLink({ ifName: name, link, mac, mtu, alias }: LoneLinkFacts): Plan {
  return {
    ops: [{ op: 'link.create', ns: 'sandbox', name, link, ...given({ mac, mtu }), alias }],
    undo: [{ op: 'link.delete', ns: 'sandbox', name, kind: kindOf(link) }],
  };
}

/** The kernel's name of the kind. */
export function kindOf({ kind }: LoneLinkFacts['link']): string {
  return kind === 'tap' ? 'tun' : kind;
}
