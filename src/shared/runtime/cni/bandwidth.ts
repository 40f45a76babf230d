import { limits } from '../../config/bandwidth.ts';
import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { findHostSide } from '../../core/endpoints/orphans.ts';
import { reverse } from '../../core/execute.ts';
import { formatAlias } from '../../model/alias.ts';
import { ifbName } from '../../model/attachment.ts';
import type { ChainedPlugin } from './chain.ts';
import { attachmentOf } from './request.ts';

const role = 'bandwidth';

/** The reference bandwidth plugin's keys and result; an attachment without limits has no record. */
export const bandwidth: ChainedPlugin<typeof role> = {
  role,

  async add(call, core, previous) {
    const { rates } = call.config;
    if (!limits(rates)) return previous;
    const attachment = attachmentOf(call);
    const { ifName, netns, ownNamespace } = call.variables;
    const ifb = ifbName(attachment);
    await addChained(core, {
      attachment,
      role,
      netns,
      ownNamespace,
      describe: (sandbox) => {
        const known = previous.interfaces.flatMap(({ name, sandbox: inside }) => (inside === undefined ? [name] : []));
        const { name: hostIf, mtu } = findHostSide(core, sandbox, ifName, known);
        const alias = formatAlias({ attachment, addresses: [] });
        return { kind: 'bandwidth', shaping: { hostIf, ifb, mtu, alias, ...rates } };
      },
    });
    const made = core.host.observe(core.host.own, { links: [ifb] }).links.get(ifb);
    if (made === undefined) return previous;
    return { ...previous, interfaces: [...previous.interfaces, { name: ifb, mac: made.mac, mtu: made.mtu }] };
  },

  async del({ variables }, core, part) {
    const errors = await deleteChained(core, part, variables.netns);
    // By its name alone it may be a successor's.
    if (part.when !== undefined) return errors;
    // If the record is lost, the name still identifies the device.
    const left = { op: 'link.delete', ns: 'host', name: ifbName(part.attachment), kind: 'ifb' } as const;
    return [...errors, ...(await reverse(core, [left], { host: core.host.own }))];
  },

  async check(call, core) {
    if (!limits(call.config.rates)) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
  },
};
