import type { DriverName } from '../../config/netconf.ts';
import { leaveAmbient } from '../../core/ambient.ts';
import { NetworkController } from '../../core/controller.ts';
import type { Core } from '../../core/core.ts';
import { combineErrors, type NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import { pluggedByConfig, unpublish } from './remote.ts';
import { attachmentOf, type RemovalCall, stampedBy } from './request.ts';
import { releaseSource } from './sources.ts';

/** DEL (SPEC.md §2): deletes the attachment. Needs its identity only; absence is success. */
export async function del(call: RemovalCall, core: Core): Promise<void> {
  const failure = combineErrors(await remove(call, core), 'DEL');
  if (failure !== undefined) throw failure;
}

/** RemovalRequest.kind of each driver whose interface in the sandbox is no veth. */
const KIND_INSIDE: Readonly<Partial<Record<DriverName, string>>> = {
  macvlan: 'macvlan',
  ipvlan: 'ipvlan',
  vlan: 'vlan',
  dummy: 'dummy',
  tap: 'tun',
  'host-device': 'moved',
  remote: 'moved',
};

async function remove(call: RemovalCall, core: Core): Promise<NetError[]> {
  const { plugin, variables, config } = call;
  const attachment = attachmentOf(call);
  const source = releaseSource(call, core);
  if (plugin === 'static') return [];
  if (plugin === 'dhcp') {
    if (source?.kind === 'delegate') await source.release();
    return [];
  }
  if (plugin === 'host-local') {
    if (source?.kind === 'local') core.store.transaction(() => source.release(core.store));
    return [];
  }
  if (plugin === 'loopback') return leaveAmbient(core, 'null', variables.netns);
  const { driver } = config;
  const unpublished = driver === 'remote' ? await unpublish(call, core) : [];
  const removed = await new NetworkController(core).deleteEndpoint({
    attachment,
    role: 'interface',
    netns: variables.netns,
    // A drop-in also deletes what the reference plugin of its name made.
    orphans: plugin === 'isthmus' ? 'own' : 'any',
    ...given({ kind: KIND_INSIDE[driver], source, when: stampedBy(call), plugged: pluggedByConfig(call) }),
  });
  const errors = [...unpublished, ...removed];
  return driver === 'host' || driver === 'null' ? [...errors, ...leaveAmbient(core, driver, variables.netns)] : errors;
}
