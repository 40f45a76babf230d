import type { Core } from '../../core/core.ts';
import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { describeSbr } from '../../drivers/sbr/sbr.ts';
import { TABLES_QUERY } from '../../drivers/tables.ts';
import type { Namespace } from '../../host/host.ts';
import { type ChainedPlugin, ownAddressing } from './chain.ts';
import { attachmentOf } from './request.ts';

const role = 'sbr';

/** The reference sbr plugin's keys and result. */
export const sbr: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const { ifName, netns, ownNamespace } = call.variables;
    await addChained(core, {
      ...{ attachment: attachmentOf(call), role, netns, ownNamespace },
      describe: (sandbox) => {
        const view = core.host.observe(sandbox, TABLES_QUERY);
        const used = usedTables(core, sandbox);
        return { kind: role, sbr: describeSbr(call.config.sbr, ownAddressing(previous, ifName), ifName, view, used) };
      },
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  check: (call, core) => checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns),
};

/** Tables of other parts in this sandbox: the kernel may not have them yet. */
function usedTables({ store }: Core, { id }: Namespace): number[] {
  return store.endpoints.list().flatMap((row) => {
    if (row.sandbox.id !== id) return [];
    if (row.kind === 'vrf') return [row.vrf.table];
    return row.kind === 'sbr' ? row.sbr.rules.map(({ table }) => table) : [];
  });
}
