import type { CniResult } from '../../config/result.ts';
import { isNoTuning, type Tuning } from '../../config/tuning.ts';
import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { describeTuning, tuningQuery } from '../../drivers/tuning/tuning.ts';
import { given } from '../../model/given.ts';
import type { ChainedPlugin } from './chain.ts';
import { attachmentOf } from './request.ts';

const role = 'tuning';

/** The reference tuning plugin's keys and result; our record holds the prior values, instead of its `dataDir`. */
export const tuning: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const wanted = call.config.tuning;
    const { ifName, netns, ownNamespace } = call.variables;
    if (isNoTuning(wanted)) return previous;
    await addChained(core, {
      attachment: attachmentOf(call),
      role,
      netns,
      ownNamespace,
      describe: (sandbox) => ({
        kind: 'tuning',
        ...describeTuning(wanted, ifName, core.host.observe(sandbox, tuningQuery(wanted, ifName))),
      }),
    });
    return tuned(previous, wanted, ifName);
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core) {
    if (isNoTuning(call.config.tuning)) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
  },
};

/** Verifies that the container's interface has the MAC and MTU that it was given. */
function tuned(previous: CniResult, { mac, mtu }: Tuning, ifName: string): CniResult {
  const changes = { ...given({ mac, mtu }) };
  const interfaces = previous.interfaces.map((one) =>
    one.name === ifName && one.sandbox !== undefined ? { ...one, ...changes } : one,
  );
  return { ...previous, interfaces };
}
