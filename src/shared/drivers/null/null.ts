import type { View, ViewQuery } from '../../host/host.ts';
import type { Plan } from '../../model/op.ts';

/** What the null driver must see of the sandbox. */
export const NULL_QUERY: ViewQuery = { links: ['lo'], addresses: ['lo'] };

/** The loopback interface is up; there is no other. Reversed, it is down, which takes its addresses away. */
export function planNull(sandbox: View): Plan {
  const ops =
    sandbox.links.get('lo')?.up === true
      ? []
      : [{ op: 'link.set', ns: 'sandbox', name: 'lo', set: { up: true } } as const];
  return { ops, undo: [{ op: 'link.set', ns: 'sandbox', name: 'lo', set: { up: false } }] };
}
