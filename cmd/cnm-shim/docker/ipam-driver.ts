import { nearest } from '../../../src/shared/config/nearest.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import {
  type AddressRequest,
  isUsed,
  ownRange,
  type PoolContext,
  poolAnswer,
  poolGateway,
  releaseAddress,
  releasePool,
  requestAddress,
  requestClusterAddress,
  requestPool,
} from '../../../src/shared/core/pools/pools.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { given } from '../../../src/shared/model/given.ts';
import { formatPrefix } from '../../../src/shared/model/prefix.ts';
import { ADDRESS_SPACES } from './network-plan.ts';
import { networkNamed } from './options.ts';
import { modeNamed, type OverlayMode } from './overlay-options.ts';
import {
  decodePoolIdentity,
  decodeReleaseAddress,
  decodeRequestAddress,
  decodeRequestPool,
  type TextMap,
} from './wire/messages.ts';

/** Where pools are chosen from, and what to avoid. */
export type PoolChoice = Omit<PoolContext, 'now'>;

/** Handles one request; the core is open for the call. */
export type IpamHandler = (body: unknown, core: Core, choice: () => PoolChoice) => Promise<object> | object;

/** Data in RequestPool's answer that fixes the gateway; dockerd then requests this address. */
const GATEWAY = 'com.docker.network.gateway';
const DOCKER_PREFIX = 'com.docker.network.';
const OPTIONS = ['network', 'mode'];

export const ipamDriver: Readonly<Record<string, IpamHandler>> = {
  RequestPool: async (body, core, choice) => {
    const { addressSpace, pool, subPool, options, v6 } = decodeRequestPool(body);
    assertSpace(addressSpace);
    const { network, mode } = optionsIn(options);
    const request = { v6, ...given({ subnet: pool, range: subPool, network }) };
    const own =
      network === undefined
        ? undefined
        : await ownRange(core, { network, family: v6 ? 6 : 4, ...given({ mode, subnet: pool, part: subPool }) });
    const row = requestPool(core, { ...request, ...given({ own }) }, { ...choice(), now: Date.now() });
    const gateway = poolGateway(row);
    return {
      PoolID: row.id,
      Pool: poolAnswer(row),
      Data: gateway === undefined ? {} : { [GATEWAY]: formatPrefix(gateway) },
    };
  },

  ReleasePool: (body, core) => {
    releasePool(core, decodePoolIdentity(body).poolId);
    return {};
  },

  RequestAddress: async (body, core) => {
    const { poolId, address, gateway } = decodeRequestAddress(body);
    // dockerd does not say which addresses are auxiliary. It requests each by name, before the network exists.
    const other = address === undefined || isUsed(core, poolId) ? 'endpoint' : 'auxiliary';
    const request: AddressRequest = {
      pool: poolId,
      use: gateway ? 'gateway' : other,
      now: Date.now(),
      ...given({ address }),
    };
    const assigned = (await requestClusterAddress(core, request)) ?? requestAddress(core, request);
    return { Address: formatPrefix(assigned), Data: {} };
  },

  ReleaseAddress: (body, core) => {
    const { poolId, address } = decodeReleaseAddress(body);
    releaseAddress(core, poolId, address);
    return {};
  },
};

/** Methods that need no state. */
export const ipamDriverFacts: Readonly<Record<string, () => object>> = {
  GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
  GetDefaultAddressSpaces: () => ({
    LocalDefaultAddressSpace: ADDRESS_SPACES.local,
    GlobalDefaultAddressSpace: ADDRESS_SPACES.global,
  }),
};

function assertSpace(space: string): void {
  const known = Object.values<string>(ADDRESS_SPACES);
  if (known.includes(space)) return;
  throw fault.invalidConfig(
    'ipam',
    `.AddressSpace="${space}"`,
    'unknown address space',
    `Address spaces are ${known.join(' and ')}`,
  );
}

/**
 * `--ipam-opt network=NAME`: the pool of that Network. `--ipam-opt mode=per-host`: each host has a range of its own, which
 * dockerd has to be told before it says what the Network is.
 */
function optionsIn(options: TextMap): { readonly network?: string; readonly mode?: OverlayMode } {
  for (const [key, value] of Object.entries(options)) {
    if (OPTIONS.includes(key) || key.startsWith(DOCKER_PREFIX)) continue;
    const meant = nearest(key, OPTIONS);
    throw fault.invalidConfig(
      'ipam',
      `--ipam-opt ${key}=${value}`,
      'it is not an option of this IPAM driver',
      `${meant === undefined ? '' : `Did you mean ${meant}? `}Known is ${OPTIONS.join(', ')}`,
    );
  }
  const mode = modeNamed(options.mode ?? '', '--ipam-opt');
  const { network = '' } = options;
  if (network !== '')
    return { network: networkNamed({ key: 'network', value: network }, '--ipam-opt'), ...given({ mode }) };
  if (mode === undefined) return {};
  const what = 'other hosts have to name the network too';
  throw fault.invalidConfig('ipam', `--ipam-opt mode=${mode}`, what, 'Add --ipam-opt network=NAME');
}
