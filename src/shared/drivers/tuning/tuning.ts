import type { Tuning } from '../../config/tuning.ts';
import { NetError } from '../../errors/net-error.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import type { LinkChanges, Op, Plan } from '../../model/op.ts';

/** What of the sandbox `planTuning` has to see. */
export function tuningQuery({ sysctls }: Tuning, ifName: string): ViewQuery {
  return { links: [ifName], sysctls: [...sysctls.keys()] };
}

/**
 * Sysctls, then the interface. Reversed, every value is as `sandbox` shows it.
 * Throws NetError `bad-environment` where there is no such interface.
 */
export function planTuning(tuning: Tuning, ifName: string, sandbox: View): Plan {
  const ops: Op[] = [];
  const undo: Op[] = [];
  for (const [key, value] of tuning.sysctls) {
    ops.push({ op: 'sysctl.set', ns: 'sandbox', key, value });
    const before = sandbox.sysctls.get(key);
    if (before !== undefined) undo.unshift({ op: 'sysctl.set', ns: 'sandbox', key, value: before, optional: true });
  }
  const set = changesOf(tuning);
  if (Object.keys(set).length > 0) {
    ops.push({ op: 'link.set', ns: 'sandbox', name: ifName, set });
    undo.unshift({ op: 'link.set', ns: 'sandbox', name: ifName, set: valuesBefore(set, ifName, sandbox) });
  }
  return { ops, undo };
}

function changesOf({ mac, mtu, promisc, allMulticast, txQueueLength }: Tuning): LinkChanges {
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(promisc === undefined ? {} : { promisc }),
    ...(allMulticast === undefined ? {} : { allMulticast }),
    ...(txQueueLength === undefined ? {} : { txQueueLength }),
  };
}

function valuesBefore(set: LinkChanges, ifName: string, { links }: View): LinkChanges {
  const link = links.get(ifName);
  if (link === undefined) {
    throw new NetError({
      kind: 'bad-environment',
      op: 'ADD',
      subject: `CNI_IFNAME=${ifName}`,
      what: 'there is no such interface in the container to tune',
      hint: 'Put the plugin that makes it before this one in the list',
    });
  }
  const { mac, mtu, promisc, allMulticast, txQueueLength } = link;
  const before = { mac, mtu, promisc, allMulticast, txQueueLength };
  return Object.fromEntries(Object.entries(before).filter(([key]) => Object.hasOwn(set, key)));
}
