import { hostIfName } from '../model/attachment.ts';
import { EMPTY_PLAN } from '../model/op.ts';
import type { EndpointRow } from '../store/store.ts';
import { parseAlias } from './alias.ts';
import type { Core } from './core.ts';

/**
 * A state that does not know of this boot yet (new, lost or set aside as corrupt) gets the endpoints and leases that
 * the kernel's interfaces tell of, before anything is allocated. One read of one row where that has been done.
 */
export function rebuildOnce(core: Core): void {
  const { host, store } = core;
  const note = `rebuilt:${host.identity.bootId}`;
  if (store.notes.get(note) !== undefined) return;
  const { links } = host.observe(host.own, { links: 'all' });
  store.transaction(() => {
    if (store.notes.get(note) !== undefined) return;
    for (const link of links.values()) {
      const record = parseAlias(link.alias);
      if (record === undefined || link.kind !== 'veth') continue;
      const { attachment, scope, addresses } = record;
      const known = hostIfName(attachment) === link.name;
      const row: EndpointRow = {
        attachment,
        role: 'interface',
        progress: 'ready',
        owner: core.owner,
        sandbox: { path: '', id: '' },
        hostIf: link.name,
        plan: { ...EMPTY_PLAN, undo: [{ op: 'link.delete', ns: 'host', name: link.name, kind: 'veth' }] },
        ...(scope === undefined ? {} : { scope }),
      };
      if (known && store.endpoints.get(attachment, 'interface') === undefined) store.endpoints.put(row);
      if (scope === undefined) continue;
      for (const address of addresses) {
        if (store.leases.runAt(scope, address) === undefined) {
          store.leases.take({ scope, address, owner: attachment, source: 'store' });
        }
      }
    }
    store.notes.put(note, String(Date.now()));
  });
}
