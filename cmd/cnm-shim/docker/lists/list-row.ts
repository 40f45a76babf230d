import { type ChosenAddress, parsePluginList, pluginConfig } from '../../../../src/shared/config/plugin-list.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { parseAddr } from '../../../../src/shared/model/addr.ts';
import type { Attachment } from '../../../../src/shared/model/attachment.ts';
import type { ListedEndpoint, ListFacts } from '../../../../src/shared/model/chain.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { formatPrefix, type Prefix } from '../../../../src/shared/model/prefix.ts';
import type { ChainCall } from '../../../../src/shared/runtime/plugin-chain.ts';
import type { DockerNetworkRow } from '../../../../src/shared/store/store.ts';
import type { CreateEndpointRequest } from '../wire/messages.ts';
import { HELD_NAME, holdingPath } from './holding.ts';
import { LIST } from './list-network.ts';

/** An endpoint of a network whose plugins a list names. */
export interface ListedPlace {
  readonly network: DockerNetworkRow;
  readonly list: ListFacts;
  readonly attachment: Attachment;
}

/** A call of all plugins of the endpoint. */
export function callOf({ plugins, path, attachment, args, seconds }: ListedEndpoint, netns: string): ChainCall {
  const containerId = attachment.containerId;
  return { plugins, path, containerId, netns, ifName: HELD_NAME, args, limitMs: seconds * 1000 };
}

/** The record of an endpoint before its ADD. */
export function rowOf(
  { network, list, attachment }: ListedPlace,
  request: CreateEndpointRequest,
  bootId: string,
): ListedEndpoint {
  const parsed = parsePluginList(list.text, LIST);
  const { mac, ip } = request;
  const gateways = { 4: network.gateway4, 6: network.gateway6 };
  const addresses = chosen(request).map((address): ChosenAddress => {
    const gateway = parseAddr(gateways[address.addr.family] ?? '');
    return { address, ...given({ gateway }) };
  });
  const asked = { ...given({ mac }), ...(addresses.length === 0 ? {} : { addresses }) };
  return {
    ...{ attachment, bootId, dockerNetwork: network.id, progress: 'adding' },
    netns: holdingPath(attachment.containerId),
    plugins: parsed.plugins.map((plugin) => ({ type: plugin.type, config: pluginConfig(parsed, plugin, asked) })),
    path: list.path,
    args: argsOf(list, ip),
    seconds: list.seconds,
    asked: JSON.stringify([chosen(request).map(formatPrefix), mac ?? '', ip ?? '']),
  };
}

/** CNI_ARGS. Throws NetError `invalid-config` for a wrong address. */
function argsOf({ args }: ListFacts, ip: string | undefined): string {
  const wrong = ip?.split(',').find((text) => parseAddr(text) === undefined);
  if (wrong !== undefined) {
    const hint = 'Write it as in --network name=n,driver-opt=ip=10.1.0.2';
    throw fault.invalidConfig('endpoint', `driver-opt ip=${ip}`, `${wrong} is not an IP address`, hint);
  }
  return ['IgnoreUnknown=1', ...(ip === undefined ? [] : [`IP=${ip}`]), ...(args === undefined ? [] : [args])].join(
    ';',
  );
}

/** The addresses that Docker's IPAM has chosen. */
export function chosen({ address, addressIPv6 }: CreateEndpointRequest): Prefix[] {
  return [address, addressIPv6].flatMap((one) => one ?? []);
}
