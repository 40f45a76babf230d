import { join } from 'node:path';
import type { DhcpOptions } from '../config/dhcp.ts';
import type { Core, DelegateSource } from '../core/core.ts';
import { expiryOf } from '../dhcp/client.ts';
import { clock, heldOf } from '../dhcp/kept.ts';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { Attachment } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import { formatPrefix } from '../model/prefix.ts';
import { type DhcpLeaseRow, dhcpLease } from '../store/dhcp-leases.ts';
import { type DelegateCall, delegateSource, isExecutable, isOwnPlugin, isThisExecutable } from './delegate.ts';

const DHCP = 'dhcp';

/** The call that needs an address from a DHCP server. */
export interface DhcpCall extends Omit<DelegateCall, 'type'> {
  readonly attachment: Attachment;
  readonly netns: string;
  /** The caller's interface is another plugin's: we have no record of it. */
  readonly isAlone?: true;
  /** Of a GC: the attachments to the network that are alive. */
  readonly keep?: readonly Attachment[];
  /** Absent for a call that only releases. */
  readonly options?: DhcpOptions;
}

/**
 * The DHCP client of the daemon. Without a daemon, the first `dhcp` of CNI_PATH that is not this program takes its place.
 * DEL never fails for the daemon's absence: the daemon releases the lease when it starts again.
 */
export function dhcpSource(core: Core, call: DhcpCall): DelegateSource {
  const { attachment, netns, options, isAlone, keep } = call;
  const known = (): DhcpLeaseRow | undefined => dhcpLease(core.store.notes, attachment);
  return {
    kind: 'delegate',
    type: DHCP,
    config: call.config,
    acquire: async () => {
      if (core.dhcp === undefined || options === undefined) return await foreign(call, 'ADD').acquire();
      using sandbox = core.host.open(netns);
      const request = { attachment, options, netns, ...given({ isAlone, gone: call.gone?.() }) };
      return await core.dhcp.acquire(request, sandbox);
    },
    release: async () => {
      if (known() !== undefined) await core.dhcp?.release(attachment);
      // A second DEL has nothing to release, and need not fail where the reference's daemon is not running.
      else if (isRecorded(core, attachment)) await foreignOf(call)?.release();
    },
    check: async () => {
      const lease = known();
      if (lease !== undefined) return assertLeased(core, call, lease);
      // Another program's has leased it while there was no daemon.
      const other = core.dhcp === undefined ? foreign(call, 'CHECK') : foreignOf(call);
      if (other === undefined) throw unleased(attachment, 'has no lease from a DHCP server');
      await other.check();
    },
    status: async () => {
      if (core.dhcp === undefined) await foreign(call, 'STATUS').status();
    },
    collect: async () => {
      if (core.dhcp === undefined) await foreignOf(call)?.collect();
      else await core.dhcp.collect(keep && { network: attachment.network, keep });
    },
  };
}

/** True if this program has the lease that an earlier call recorded, or is the `dhcp` of CNI_PATH. */
export function isOwnDhcp(core: Core, type: string, attachment: Attachment, path: readonly string[]): boolean {
  return type === DHCP && (dhcpLease(core.store.notes, attachment) !== undefined || isOwnPlugin(type, path));
}

/** Looks at the record and the link; asks no server. */
function assertLeased({ host }: Core, { attachment, netns }: DhcpCall, lease: DhcpLeaseRow): void {
  using sandbox = host.open(netns);
  if (lease.sandbox.id !== sandbox.id) throw unleased(attachment, `has its lease in ${lease.sandbox.path}, not here`);
  const held = heldOf(lease);
  const address = formatPrefix(held.lease.address);
  if (expiryOf(held) <= clock()) throw unleased(attachment, `has a lease of ${address} that has ended`);
  const { addresses } = host.observe(sandbox, { addresses: [attachment.ifName] });
  if (addresses.some((state) => state.address === address)) return;
  throw unleased(attachment, `lacks the address ${address}, which is leased`);
}

function unleased({ containerId, ifName }: Attachment, what: string): NetError {
  return fault.drift('CHECK', `container ${containerId} interface ${ifName}`, what, 'Run DEL, then ADD');
}

function isRecorded({ store }: Core, attachment: Attachment): boolean {
  const row = store.endpoints.get(attachment, 'interface');
  return row !== undefined && 'delegate' in row && row.delegate?.type === DHCP;
}

function foreign(call: DhcpCall, op: string): DelegateSource {
  const found = foreignOf(call);
  if (found !== undefined) return found;
  throw fault.unavailable(
    op,
    'ipam dhcp',
    'the daemon, which has the DHCP client, does not serve this call',
    'Start it (isthmus serve) where CNI_PATH is the same directory as for the runtime',
  );
}

/** The plugin `dhcp` of another program; undefined without one. */
function foreignOf({ path, ...call }: DhcpCall): DelegateSource | undefined {
  const dirs = path.filter((dir) => isExecutable(join(dir, DHCP)) && !isThisExecutable(join(dir, DHCP)));
  return dirs.length === 0 ? undefined : delegateSource({ ...call, type: DHCP, path: dirs });
}
