import { parseNetconf } from '../../src/shared/config/netconf.ts';
import type { NetworkSpec, RangeText } from '../../src/shared/config/network-spec.ts';
import { parseSpec } from '../../src/shared/config/network-spec.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import type { NetworkRequest } from '../../src/shared/core/networks/create-network.ts';
import type { EndpointReport } from '../../src/shared/core/requests.ts';
import type { NetworkHolder } from '../../src/shared/model/owned.ts';
import { addRequest, scopeOf, type Which } from './core.ts';

/** Keys of the bridge's configuration, and what else makes a Network. */
export interface SpecParts {
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly subnets?: readonly (RangeText | string)[];
  readonly scope?: string;
  readonly allocator?: string;
}

/** The Network that `addRequest` makes by default: a gateway bridge `isth0` with a pool of each family. */
export function specFor(network = 'web', parts: SpecParts = {}): NetworkSpec {
  const { conf = {}, subnets = ['10.88.0.0/24', 'fd00:88::/64'], allocator } = parts;
  const scope = allocator === undefined ? (parts.scope ?? scopeOf({ network })) : undefined;
  const config = { name: network, bridge: 'isth0', isGateway: true, ipam: { type: 'host-local' }, ...conf };
  const { options } = parseNetconf({ config, strict: true });
  if (options.driver !== 'bridge') throw new Error('a bridge is wanted');
  return parseSpec({
    options,
    ranges: subnets.map((subnet) => [typeof subnet === 'string' ? { subnet } : subnet]),
    ...(scope === undefined ? {} : { scope }),
    ...(allocator === undefined ? {} : { allocator }),
    routes: [],
  });
}

export const DOCKER: NetworkHolder = { kind: 'docker', id: '0123456789abcdef'.repeat(4) };

/** `web`, kept by a Docker network. */
export function keepRequest(changes: Partial<NetworkRequest> = {}): NetworkRequest {
  const { name = 'web' } = changes;
  return { name, holder: DOCKER, spec: specFor(name), ...changes };
}

/** An ADD that includes the spec of its network, as the CNI plugin does. */
export function addWithSpec(core: Core, which: Which = {}, parts: SpecParts = {}): Promise<EndpointReport> {
  const { network = 'web', conf = {} } = which;
  const spec = specFor(network, { conf, ...parts });
  return createEndpoint(core, { ...addRequest(which, core.host.identity), spec });
}
