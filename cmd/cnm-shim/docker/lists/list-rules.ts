import type { PortMapping } from '../../../../src/shared/config/port-mappings.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { reverse } from '../../../../src/shared/core/execute.ts';
import { deviceKey } from '../../../../src/shared/core/networks/record.ts';
import { ensureChainedRules } from '../../../../src/shared/core/networks/rules.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import { type Attachment, attachmentDigest } from '../../../../src/shared/model/attachment.ts';
import type { ListedEndpoint } from '../../../../src/shared/model/chain.ts';
import { type Owned, planDeletion, without } from '../../../../src/shared/model/owned.ts';
import { parsePrefix } from '../../../../src/shared/model/prefix.ts';
import { listedEndpoint, listListedEndpoints } from '../../../../src/shared/store/listed-endpoints.ts';
import { shortId } from '../network-options.ts';

/**
 * Lets the host forward what the endpoint sends and receives, where others drop unknown traffic (dockerd's FORWARD), and
 * what its published ports need. Does nothing for an endpoint that the host is not on the way to.
 */
export async function admitListed(
  core: Core,
  { attachment, link, carried }: ListedEndpoint,
  mappings: readonly PortMapping[] = [],
): Promise<void> {
  const { network } = attachment;
  const rules = core.store.networks.get(network)?.spec?.rules;
  if (rules === undefined || link?.hostDevice === undefined) return;
  const addresses = (carried?.addresses ?? []).flatMap((text) => {
    const address = parsePrefix(text);
    return address === undefined ? [] : [{ address }];
  });
  await ensureChainedRules(core, network, link.hostDevice, { ...rules, mappings }, { addresses, routes: [] });
}

/**
 * Publishes ports by `publish`, with what they need on the device. Throws NetError `invalid-config` for an endpoint that
 * the host is not on the way to.
 */
export async function admitPorts(
  core: Core,
  attachment: Attachment,
  publish: () => Promise<readonly PortMapping[]>,
): Promise<void> {
  const row = listedEndpoint(core.store.notes, attachment);
  if (row?.link?.hostDevice !== undefined) return await admitListed(core, row, await publish());
  const what = 'the host is not on the way to its address, so published ports are of no use';
  const hint = 'Reach it at its own address, without -p';
  throw fault.invalidConfig('ports', `endpoint ${shortId(attachment.containerId)}`, what, hint);
}

/** Deletes what `admitListed` made, with the last endpoint of the device. Returns all failures. */
export async function dismissListed(core: Core, { attachment, link }: ListedEndpoint): Promise<NetError[]> {
  const { store, host } = core;
  const device = link?.hostDevice;
  const known = store.networks.get(attachment.network);
  if (device === undefined || known === undefined) return [];
  using _lock = await core.lock(deviceKey(known));
  const row = store.networks.get(attachment.network);
  const own = attachmentDigest(attachment);
  const isUsed = listListedEndpoints(store.notes).some(
    (one) =>
      one.link?.hostDevice === device &&
      attachmentDigest(one.attachment) !== own &&
      one.attachment.network === attachment.network,
  );
  if (row === undefined || isUsed) return [];
  const mine = row.owned.filter((one) => deviceOf(one) === device);
  if (mine.length === 0) return [];
  const others = store.networks.list().flatMap((other) => (other.name === row.name ? [] : other.owned));
  const isCurrent = row.bootId === host.identity.bootId;
  const errors = isCurrent ? await reverse(core, planDeletion(without(mine, others)), { host: host.own }) : [];
  if (errors.length === 0) store.transaction(() => store.networks.put({ ...row, owned: without(row.owned, mine) }));
  return errors;
}

function deviceOf(one: Owned): string | undefined {
  if (one.kind === 'localnet') return one.dev;
  return one.kind === 'entry' && 'device' in one.entry ? one.entry.device : undefined;
}
