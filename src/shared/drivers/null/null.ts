import type { View, ViewQuery } from '../../host/host.ts';
import type { Plan } from '../../model/op.ts';

/** Query for the null driver. */
export const NULL_QUERY: ViewQuery = { links: ['lo'], addresses: ['lo'] };

/** Sets loopback up; the sandbox gets no other interface. The undo sets it down, which removes its addresses. */
export function planNull(sandbox: View): Plan {
  const ops =
    sandbox.links.get('lo')?.up === true
      ? []
      : [{ op: 'link.set', ns: 'sandbox', name: 'lo', set: { up: true } } as const];
  return { ops, undo: [{ op: 'link.set', ns: 'sandbox', name: 'lo', set: { up: false } }] };
}
