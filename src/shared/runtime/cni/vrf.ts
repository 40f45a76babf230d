import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { describeVrf, vrfQuery } from '../../drivers/vrf/vrf.ts';
import type { ChainedPlugin } from './chain.ts';
import { attachmentOf } from './request.ts';

const role = 'vrf';

/** The reference vrf plugin's keys and result. */
export const vrf: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const { ifName, netns, ownNamespace } = call.variables;
    await addChained(core, {
      ...{ attachment: attachmentOf(call), role, netns, ownNamespace },
      describe: (sandbox) => ({
        kind: role,
        vrf: describeVrf(call.config.vrf, ifName, core.host.observe(sandbox, vrfQuery(ifName))),
      }),
    });
    return previous;
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  check: (call, core) => checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns),
};
