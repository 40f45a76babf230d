import { attachmentKey } from '../../../src/shared/core/apply.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import { planGuarded } from '../../../src/shared/core/desired.ts';
import { execute, reverse } from '../../../src/shared/core/execute.ts';
import type { Lease } from '../../../src/shared/dhcp/lease.ts';
import type { Namespace } from '../../../src/shared/host/host.ts';
import { formatAddr } from '../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import type { CniEndpoint, LoneEndpoint } from '../../../src/shared/model/endpoint.ts';
import type { Op } from '../../../src/shared/model/op.ts';
import { formatPrefix } from '../../../src/shared/model/prefix.ts';
import { formatRoute } from '../../../src/shared/model/route.ts';
import { dhcpLease } from '../../../src/shared/store/dhcp-leases.ts';

/** Removes the leased address from the interface, and with it its routes. Accepts absence. Throws NetError. */
export function removeAddress({ host }: Core, { ifName }: Attachment, sandbox: Namespace, { address }: Lease): void {
  const op: Op = { op: 'addr.delete', ns: 'sandbox', dev: ifName, address: formatPrefix(address) };
  const [error] = host.revert([op], { host: host.own, sandbox });
  if (error !== undefined) throw error;
}

/**
 * Gives the interface an address that was leased after the former one was lost, with its routes; the record and the guard
 * of the bridge port follow. Published ports still lead to the former address if it was another. Throws NetError.
 */
export async function addAddress(core: Core, attachment: Attachment, sandbox: Namespace, lease: Lease): Promise<void> {
  using _lock = await core.lock(attachmentKey(attachment));
  const { host, store } = core;
  // A DEL had the lock.
  if (dhcpLease(store.notes, attachment) === undefined) return;
  const dev = attachment.ifName;
  const address = formatPrefix(lease.address);
  const routes = lease.routes.map(formatRoute);
  const namespaces = { host: host.own, sandbox };
  const row = store.endpoints.get(attachment, 'interface');
  if (row?.kind === 'cni' || row?.kind === 'lone') await updateRecord(core, row, lease);
  const ops: Op[] = [
    { op: 'addr.add', ns: 'sandbox', dev, address },
    ...routes.map((route): Op => ({ op: 'route.add', ns: 'sandbox', route: { ...route, dev } })),
  ];
  // Somebody may have added a part by hand.
  host.revert(undoOf(ops), namespaces);
  host.apply(ops, namespaces);
}

async function updateRecord(core: Core, row: CniEndpoint | LoneEndpoint, lease: Lease): Promise<void> {
  const address = formatPrefix(lease.address);
  const { gateway } = lease;
  const facts = { address, ...(gateway === undefined ? {} : { gateway: formatAddr(gateway) }) };
  if (row.inside.addresses.some((one) => one.address === address)) return;
  const inside = { ...row.inside, addresses: [facts], routes: lease.routes.map(formatRoute) };
  const namespaces = { host: core.host.own };
  core.store.transaction(() => core.store.endpoints.put({ ...row, inside }));
  if (row.kind !== 'cni') return;
  await reverse(core, planGuarded(row).undo, namespaces);
  await execute(core, planGuarded({ ...row, inside }).ops, namespaces);
}

function undoOf(ops: readonly Op[]): Op[] {
  return ops
    .map((op): Op => {
      if (op.op === 'addr.add') return { ...op, op: 'addr.delete' };
      return op.op === 'route.add' ? { ...op, op: 'route.delete' } : op;
    })
    .reverse();
}
