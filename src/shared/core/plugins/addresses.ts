import { fault } from '../../errors/fault.ts';
import { asNetError, combineErrors } from '../../errors/net-error.ts';
import type { Addr } from '../../model/addr.ts';
import type { Attachment } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { parsePrefix } from '../../model/prefix.ts';
import type { Route } from '../../model/route.ts';
import { type PluginNames, remoteEndpoint, remoteNetwork } from '../../store/remote-notes.ts';
import type { Core, DelegateSource, IpamResult } from '../core.ts';
import { plug, unplug, unplugStale } from './endpoint.ts';
import { type PluggedNetwork, removeUnusedPlugged } from './network.ts';
import { assertRunning } from './open.ts';

/** The `type` of this source, on record. */
export const REMOTE = 'remote';

/** A call that needs addresses from a Docker plugin, whatever makes the interface. */
export interface PluggedAddresses {
  readonly attachment: Attachment;
  readonly netns: string;
  /** Its configuration, as JSON. */
  readonly config: string;
  /** Absent for a call that only releases. */
  readonly wanted?: {
    readonly network: PluggedNetwork;
    readonly requested: readonly Addr[];
    readonly routes: readonly Route[];
  };
  /** Of a GC: the attachments to the network that are alive. */
  readonly keep?: readonly Attachment[];
}

/** The IPAM of a Docker plugin, for the interface of another driver. Release it after the interface is gone. */
export function pluggedAddresses(core: Core, call: PluggedAddresses): DelegateSource {
  const { attachment, netns, config, wanted, keep } = call;
  const { network } = attachment;
  return {
    kind: 'delegate',
    type: REMOTE,
    config,
    acquire: async () => {
      if (wanted === undefined) throw new Error('a call that only releases asks for addresses');
      const { requested: addresses, routes } = wanted;
      await plug(core, { ...wanted.network, attachment, netns, addresses, ports: [] });
      return held(core, attachment, routes);
    },
    release: async () => {
      const row = remoteEndpoint(core.store.notes, attachment);
      const failure = row && combineErrors(await unplug(core, row, () => Promise.resolve([])), 'DEL');
      if (failure !== undefined) throw failure;
    },
    check: () => {
      if (remoteEndpoint(core.store.notes, attachment) !== undefined) return Promise.resolve();
      const subject = `container ${attachment.containerId} interface ${attachment.ifName}`;
      return Promise.reject(fault.drift('CHECK', subject, 'has no address of a plugin on record', 'Run DEL, then ADD'));
    },
    status: () => assertServing(core, wanted?.network.plugins ?? {}),
    collect: async () => {
      const errors = keep === undefined ? [] : await unplugStale(core, { network, keep });
      const failure = combineErrors([...errors, ...(await removeUnusedPlugged(core, network))], 'GC');
      if (failure !== undefined) throw failure;
    },
  };
}

/** Throws NetError `unavailable` unless each plugin answers. */
export async function assertServing(core: Core, plugins: PluginNames): Promise<void> {
  try {
    await assertRunning(core, plugins, false);
  } catch (thrown) {
    const { kind, subject, what, hint } = asNetError(thrown, 'STATUS');
    throw kind === 'invalid-config' ? thrown : fault.unavailable('STATUS', subject, what, hint, { cause: thrown });
  }
}

function held({ store }: Core, attachment: Attachment, routes: readonly Route[]): IpamResult {
  const pools = remoteNetwork(store.notes, attachment.network)?.facts.pools ?? [];
  const facts = remoteEndpoint(store.notes, attachment)?.facts;
  const addresses = (facts?.addresses ?? []).flatMap(({ family, address: text }) => {
    const address = parsePrefix(text);
    const gateway = parsePrefix(pools.find((pool) => pool.family === family)?.gateway ?? '')?.addr;
    return address === undefined ? [] : [{ address, ...given({ gateway }) }];
  });
  return { addresses, routes, dns: {} };
}
