import type { Tuning } from '../../config/tuning.ts';
import { fault } from '../../errors/fault.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import type { TunedFacts } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { LinkChanges, Op, Plan } from '../../model/op.ts';

/** The values that a tuning sets, and the prior ones. */
export interface TuningFacts {
  readonly wanted: TunedFacts;
  readonly before: TunedFacts;
}

/** The query for `describeTuning`. */
export function tuningQuery({ sysctls }: Tuning, ifName: string): ViewQuery {
  return { links: [ifName], sysctls: [...sysctls.keys()] };
}

/** Reads the prior values. Throws NetError `bad-environment` if the interface is missing. */
export function describeTuning(tuning: Tuning, ifName: string, sandbox: View): TuningFacts {
  const link = changesOf(tuning);
  const sysctls = [...tuning.sysctls];
  const known = sysctls.flatMap(([key]): [string, string][] => {
    const value = sandbox.sysctls.get(key);
    return value === undefined ? [] : [[key, value]];
  });
  return {
    wanted: { sysctls, link },
    before: { sysctls: known, link: isEmpty(link) ? {} : valuesBefore(link, ifName, sandbox) },
  };
}

/**
 * Sets the sysctls, then the interface. The undo restores every prior value; one that the kernel refuses (it was never
 * changed, or cannot be set back) does not keep a DEL from its end.
 */
export function planTuning(ifName: string, { wanted, before }: TuningFacts): Plan {
  const undo = before.sysctls
    .map(([key, value]): Op => ({ ...sysctl(key, value), optional: true, bestEffort: true }))
    .reverse();
  return {
    ops: [...wanted.sysctls.map(([key, value]) => sysctl(key, value)), ...setLink(ifName, wanted.link)],
    undo: [...setLink(ifName, before.link), ...undo],
  };
}

function sysctl(key: string, value: string): Extract<Op, { op: 'sysctl.set' }> {
  return { op: 'sysctl.set', ns: 'sandbox', key, value };
}

function setLink(name: string, set: LinkChanges): Op[] {
  return isEmpty(set) ? [] : [{ op: 'link.set', ns: 'sandbox', name, set }];
}

function isEmpty(set: LinkChanges): boolean {
  return Object.keys(set).length === 0;
}

function changesOf({ mac, mtu, promisc, allMulticast, txQueueLength }: Tuning): LinkChanges {
  return {
    ...given({ mac, mtu, promisc, allMulticast, txQueueLength }),
  };
}

function valuesBefore(set: LinkChanges, ifName: string, { links }: View): LinkChanges {
  const link = links.get(ifName);
  if (link === undefined) {
    throw fault.badEnvironment(
      'ADD',
      `CNI_IFNAME=${ifName}`,
      'the container has no interface of this name to tune',
      'Put the plugin that makes it before this one in the list',
    );
  }
  const { mac, mtu, promisc, allMulticast, txQueueLength } = link;
  const before = { mac, mtu, promisc, allMulticast, txQueueLength };
  return Object.fromEntries(Object.entries(before).filter(([key]) => Object.hasOwn(set, key)));
}
