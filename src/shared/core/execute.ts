import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Namespaces } from '../host/host.ts';
import type { Op } from '../model/op.ts';
import type { Core } from './core.ts';
import { restoreEntries } from './reset-entries.ts';

type FirewallOp = Extract<Op, { op: 'firewall.add' | 'firewall.delete' }>;

/**
 * Runs the ops in order. Consecutive ops on links, addresses, routes and sysctls go to the host together; packet filter
 * ops go to the firewaller of their backend. Throws NetError for the first failure; the caller reverts the whole plan.
 */
export async function execute(core: Core, ops: readonly Op[], namespaces: Namespaces): Promise<void> {
  for (const group of groups(ops)) {
    if (!isFirewall(group[0])) core.host.apply(group, namespaces);
    else
      for (const [i, op] of group.entries()) {
        // Each op holds the thread for some milliseconds; other calls come in between.
        if (i > 0) await core.rest?.();
        await applyFirewall(core, op as FirewallOp);
      }
  }
  // Neighbours that have another MAC for an address must not send to it once the caller has its answer.
  if (ops.some(({ op }) => op === 'announce')) await core.host.announced?.();
}

/** Runs the ops in order and accepts absence. Continues after a failure and returns all failures. */
export async function reverse(core: Core, ops: readonly Op[], namespaces: Namespaces): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const group of groups(ops, core.removeLink !== undefined)) {
    const [first] = group;
    if (isFirewall(first)) {
      for (const [i, op] of group.entries()) {
        // Not before the first: a transaction may begin this.
        if (i > 0) await core.rest?.();
        errors.push(...(await revertFirewall(core, op as FirewallOp)));
      }
    } else if (core.removeLink !== undefined && isRemoval(first)) {
      core.mark?.('kernel');
      errors.push(...(await removeLinks(core.removeLink, group, namespaces)));
      core.mark?.('unlink');
    } else errors.push(...core.host.revert(group, namespaces));
  }
  return errors;
}

/** Deletes all links concurrently: the kernel takes as long for many as for one. */
async function removeLinks(
  remove: NonNullable<Core['removeLink']>,
  ops: readonly Op[],
  { sandbox }: Namespaces,
): Promise<NetError[]> {
  const removeOne = (op: Op): Promise<NetError | undefined> | undefined => {
    if (!isRemoval(op)) return undefined;
    if (op.ns === 'host') return remove(op);
    // Without its namespace, the link is gone too.
    return sandbox === undefined ? undefined : remove(op, sandbox);
  };
  const failures = await Promise.all(ops.map(removeOne));
  return failures.flatMap((failure) => failure ?? []);
}

async function applyFirewall(core: Core, op: FirewallOp): Promise<void> {
  const firewaller = core.firewall(op.backend);
  if (op.op === 'firewall.add') {
    if (await firewaller.add(op.entries)) await restoreEntries(core, op.backend, op.entries);
  } else {
    const [failure] = await firewaller.remove(op.entries);
    if (failure !== undefined) throw failure;
  }
}

async function revertFirewall(core: Core, op: FirewallOp): Promise<NetError[]> {
  try {
    if (op.op === 'firewall.delete') return await core.firewall(op.backend).remove(op.entries);
    await core.firewall(op.backend).add(op.entries);
    return [];
  } catch (thrown) {
    return [asNetError(thrown, op.op)];
  }
}

function isFirewall(op: Op | undefined): op is FirewallOp {
  return op?.op === 'firewall.add' || op?.op === 'firewall.delete';
}

function isRemoval(op: Op | undefined): op is Extract<Op, { op: 'link.delete' }> {
  return op?.op === 'link.delete';
}

/**
 * Groups consecutive ops by the executor that runs them. `apart` puts deletions of links into groups of their own.
 */
function groups(ops: readonly Op[], apart = false): Op[][] {
  const sortOf = (op: Op | undefined): string =>
    isFirewall(op) ? 'firewall' : apart && isRemoval(op) ? 'removal' : 'other';
  const found: Op[][] = [];
  for (const op of ops) {
    const last = found.at(-1);
    if (last !== undefined && sortOf(last[0]) === sortOf(op)) last.push(op);
    else found.push([op]);
  }
  return found;
}
