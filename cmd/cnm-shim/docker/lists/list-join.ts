import { attachmentKey } from '../../../../src/shared/core/apply.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { execute } from '../../../../src/shared/core/execute.ts';
import { TABLES_QUERY } from '../../../../src/shared/drivers/tables.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { View } from '../../../../src/shared/host/host.ts';
import type { Attachment } from '../../../../src/shared/model/attachment.ts';
import type { ListedEndpoint } from '../../../../src/shared/model/chain.ts';
import { listedEndpoint, putListedEndpoint } from '../../../../src/shared/store/listed-endpoints.ts';
import { shortId } from '../network-options.ts';
import { wordsOf } from './carried.ts';
import { completion, withdrawal } from './completion.ts';
import { handOver, opened } from './holding.ts';

/**
 * Gives the interface to dockerd, which moves it into the container, and notes where that is. Returns the record. dockerd
 * may ask again. Throws NetError `unknown-container` if the interface is gone, `unsupported` if the endpoint needs a
 * namespace that is not there yet.
 */
export async function joinListed(
  core: Core,
  attachment: Attachment,
  sandboxKey: string | undefined,
): Promise<ListedEndpoint> {
  using _lock = await core.lock(attachmentKey(attachment));
  const row = readyListed(core, attachment);
  const [first] = row.inside === undefined ? [] : wordsOf(row.inside);
  using sandbox = opened(core, sandboxKey ?? '');
  if (first !== undefined && sandbox === undefined) {
    const what = `${first} has to be set in the container's namespace, and ${sandboxKey || 'it'} is not there`;
    throw fault.unsupported('Join', `endpoint ${shortId(attachment.containerId)}`, what, 'Use Docker 28 or later');
  }
  if (!(await handOver(core, row))) {
    const hint = 'Disconnect the container from the network and connect it again';
    throw fault.unknownContainer('Join', `endpoint ${shortId(attachment.containerId)}`, 'its interface is gone', hint);
  }
  if (first !== undefined && sandboxKey !== row.sandboxKey) {
    const { sandboxKey: _, ...rest } = row;
    const joined = { ...rest, ...(sandboxKey === undefined ? {} : { sandboxKey }) };
    core.store.transaction(() => putListedEndpoint(core.store.notes, joined));
  }
  return row;
}

/**
 * Sets what dockerd cannot, once it has moved the interface: dockerd asks for EndpointOperInfo afterwards. Does nothing
 * while the interface is elsewhere, and for what is there already.
 */
export async function completeListed(core: Core, attachment: Attachment): Promise<void> {
  await inContainer(core, attachment, completion);
}

/**
 * Deletes what the interface would leave behind in a container that goes on without it. dockerd moves the interface
 * afterwards.
 */
export async function withdrawListed(core: Core, attachment: Attachment): Promise<void> {
  await inContainer(core, attachment, withdrawal);
}

/** Runs the steps that `plan` returns for the interface, if it is in the container and has what dockerd cannot set. */
async function inContainer(core: Core, attachment: Attachment, plan: typeof completion): Promise<void> {
  const row = listedEndpoint(core.store.notes, attachment);
  if (row?.inside === undefined || row.sandboxKey === undefined || wordsOf(row.inside).length === 0) return;
  using _lock = await core.lock(attachmentKey(attachment));
  using sandbox = opened(core, row.sandboxKey);
  if (sandbox === undefined) return;
  const view = core.host.observe(sandbox, { ...TABLES_QUERY, addresses: 'all' });
  const dev = deviceOf(row, view);
  const ops = dev === undefined ? [] : plan(row.inside, dev, view);
  if (ops.length > 0) await execute(core, ops, { host: core.host.own, sandbox });
}

/** The interface's name in the container. The user may have given it another MAC. */
function deviceOf({ link, carried }: ListedEndpoint, view: View): string | undefined {
  const [address] = carried?.addresses ?? [];
  const addressed = view.addresses.find((one) => one.address.split('/')[0] === address?.split('/')[0]);
  return addressed?.dev ?? [...view.links.values()].find(({ mac }) => mac === link?.mac)?.name;
}

/** Throws NetError `unknown-container` unless CreateEndpoint has been answered in this boot. */
function readyListed({ store, host }: Core, attachment: Attachment): ListedEndpoint {
  const row = listedEndpoint(store.notes, attachment);
  if (row?.progress === 'ready' && row.bootId === host.identity.bootId) return row;
  const { containerId, network } = attachment;
  const what = `is not on network ${network}: there is no record of it`;
  const hint = 'Disconnect the container from the network and connect it again';
  throw fault.unknownContainer('find', `endpoint ${shortId(containerId)}`, what, hint);
}
