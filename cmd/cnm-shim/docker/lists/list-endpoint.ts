import { attachmentKey } from '../../../../src/shared/core/apply.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { claimAddress } from '../../../../src/shared/core/pools/pools.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import type { ListedEndpoint } from '../../../../src/shared/model/chain.ts';
import type { DockerEndpoint, Progress } from '../../../../src/shared/model/endpoint.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { formatPrefix } from '../../../../src/shared/model/prefix.ts';
import { addChain } from '../../../../src/shared/runtime/plugin-chain.ts';
import { listedEndpoint, putListedEndpoint } from '../../../../src/shared/store/listed-endpoints.ts';
import { shortId } from '../network-options.ts';
import type { CreateEndpointRequest } from '../wire/messages.ts';
import { viewAt } from './holding.ts';
import { pluginsOf } from './list-network.ts';
import { removeListed } from './list-removal.ts';
import { callOf, chosen, type ListedPlace, rowOf } from './list-row.ts';
import { admitListed } from './list-rules.ts';
import { readMade } from './made.ts';

/** `Interface` of CreateEndpoint's answer: what dockerd has not set itself. */
export interface InterfaceAnswer {
  readonly Address?: string;
  readonly AddressIPv6?: string;
  readonly MacAddress?: string;
}

/**
 * Runs ADD of the list in a namespace of its own, and records the endpoint. On an error, runs DEL and leaves nothing. The
 * same request again succeeds.
 */
export async function createListed(
  core: Core,
  place: ListedPlace,
  request: CreateEndpointRequest,
  now: number,
): Promise<InterfaceAnswer> {
  const { attachment } = place;
  const { store, host, log } = core;
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  const known = listedEndpoint(store.notes, attachment);
  const begun = rowOf(place, request, host.identity.bootId);
  if (known?.progress === 'ready' && known.bootId === begun.bootId) return sameListed(known, begun, request);
  if (known !== undefined) throwFirst(await removeListed(core, known));
  let row = begun;
  const note = (next: ListedEndpoint, progress: Progress): void => {
    row = next;
    store.transaction(() => {
      putListedEndpoint(store.notes, row);
      store.endpoints.put(endpointOf(core, place, request, row, progress, now));
    });
  };
  const { scope } = place.network;
  const begin = (): void => {
    for (const { addr } of scope === undefined ? [] : chosen(request))
      claimAddress(store, scope ?? '', addr, attachment);
    note(begun, 'intent');
  };
  // Plugins keep addresses on disk, so the record has to be there first.
  store.transaction(begin, { durable: true });
  core.mark?.('commit');
  try {
    const plugins = await pluginsOf(core);
    await plugins.makeNamespace(row.netns);
    const before = viewAt(core, row.netns);
    const { text, result } = await addChain(plugins, callOf(row, row.netns), {
      started: (running) => note({ ...row, running }, 'intent'),
      answered: (answer) => note({ ...row, result: answer }, 'intent'),
    });
    core.mark?.('plugins');
    const { made, lost } = readMade(core, { row, result, before, list: place.list, request });
    const { running: _, ...ended } = row;
    note({ ...ended, ...made, result: text }, 'intent');
    await admitListed(core, row);
    note({ ...row, progress: 'ready' }, 'ready');
    if (lost.length > 0) log.warn('docker.lost', { endpoint: shortId(attachment.containerId), lost: lost.join(', ') });
    return answerOf(row, request);
  } catch (thrown) {
    for (const { message } of await removeListed(core, row)) log.warn('revert.failed', { error: message });
    throw asNetError(thrown, 'ADD');
  }
}

/** Docker's part, which ports and verbs read. */
function endpointOf(
  { host }: Core,
  { network, attachment }: ListedPlace,
  request: CreateEndpointRequest,
  { carried }: ListedEndpoint,
  progress: Progress,
  createdAt: number,
): DockerEndpoint {
  const { scope, id } = network;
  const asked = chosen(request).map(formatPrefix);
  return {
    ...{ kind: 'docker', role: 'interface', attachment, progress, createdAt, dockerNetwork: id },
    sandbox: { path: '', id: host.own.id },
    addresses: asked.length > 0 ? asked : (carried?.addresses ?? []),
    ...given({ scope, ifName: request.ifName }),
  };
}

function answerOf({ link, carried }: ListedEndpoint, request: CreateEndpointRequest): InterfaceAnswer {
  const own = (family: 4 | 6) => carried?.addresses.find((text) => text.includes(':') === (family === 6));
  const Address = request.address === undefined ? own(4) : undefined;
  const AddressIPv6 = request.addressIPv6 === undefined ? own(6) : undefined;
  // The kernel refuses a MAC for an ipvlan, even its own.
  const MacAddress = request.mac === undefined && link?.kind !== 'ipvlan' ? link?.mac : undefined;
  return given({ Address, AddressIPv6, MacAddress });
}

function sameListed(known: ListedEndpoint, begun: ListedEndpoint, request: CreateEndpointRequest): InterfaceAnswer {
  if (known.asked === begun.asked) return answerOf(known, request);
  const { containerId, network } = known.attachment;
  const what = `is on network ${network} already, with other addresses`;
  throw fault.conflict('ADD', `endpoint ${shortId(containerId)}`, what, 'Delete it first');
}

function throwFirst([failure]: readonly NetError[]): void {
  if (failure !== undefined) throw failure;
}
