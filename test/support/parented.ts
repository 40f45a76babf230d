import { madeVlan, type ParentedOptions } from '../../src/shared/config/parented.ts';
import type { OfferRequest } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import type { NetworkRequest } from '../../src/shared/core/networks/create-network.ts';
import { parentedDriver } from '../../src/shared/drivers/lone/parented.ts';
import { type Attachment, digest } from '../../src/shared/model/attachment.ts';
import { given } from '../../src/shared/model/given.ts';
import { prefixOf } from './addresses.ts';

/** Networks of dockerd on a parent, and endpoints on them. */

type Own = Partial<Pick<ParentedOptions, 'mtu'>> & { readonly master?: string };
type Macvlan = Own & { readonly mode?: 'bridge' | 'private' | 'vepa' | 'passthru' };
type Ipvlan = Own & { readonly mode?: 'l2' | 'l3' | 'l3s'; readonly flag?: 'bridge' | 'private' | 'vepa' };

export function macvlan({ master = 'up0', mode = 'bridge', mtu }: Macvlan = {}): ParentedOptions {
  return {
    driver: 'macvlan',
    mode,
    linkInContainer: false,
    offered: true,
    master,
    ...given({ mtu, made: madeVlan(master) }),
  };
}

export function ipvlan({ master = 'up0', mode = 'l2', flag = 'bridge', mtu }: Ipvlan = {}): ParentedOptions {
  return {
    driver: 'ipvlan',
    mode,
    flag,
    linkInContainer: false,
    offered: true,
    master,
    ...given({ mtu, made: madeVlan(master) }),
  };
}

/** A network that Docker network `id` holds. */
export function networkRequest(options: ParentedOptions, id = 'a', subnet = '10.5.0.0/24'): NetworkRequest {
  const spec = { options, ranges: [[{ subnet: prefixOf(subnet) }]], allocator: 'docker', routes: [] };
  return { name: `docker-${id}`, holder: { kind: 'docker', id }, spec };
}

export function offered(n: number, id = 'a'): Attachment {
  const containerId = digest('endpoint', id, String(n));
  return { camp: 'cnm', network: `docker-${id}`, containerId, ifName: `peer${containerId.slice(0, 11)}` };
}

/** The offer of a CreateEndpoint for endpoint `n`, counted from 2. */
export function parentedOffer(options: ParentedOptions, n = 2, id = 'a', mac?: string): OfferRequest {
  const attachment = offered(n, id);
  return {
    attachment,
    driver: parentedDriver(options, attachment.network),
    driverName: options.driver,
    addressing: { addresses: [{ address: prefixOf(`10.5.0.${n}/24`) }], routes: [] },
    dockerNetwork: id,
    now: 1,
    ...given({ mac }),
  };
}
