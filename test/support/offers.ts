import { parseNetconf } from '../../src/shared/config/netconf.ts';
import type { Core } from '../../src/shared/core/core.ts';
import type { OfferRequest } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { OWN_SCOPE } from '../../src/shared/core/pools/pools.ts';
import { bridgeDriver } from '../../src/shared/drivers/bridge/bridge.ts';
import type { Addressing } from '../../src/shared/drivers/driver.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { digest } from '../../src/shared/model/attachment.ts';
import type { FirewallBackend, IngressPolicy } from '../../src/shared/model/firewall.ts';
import { addrOf, prefixOf } from './addresses.ts';

/** NetworkID of the network that offers are for, and the name that the core has for it. */
export const NETWORK_ID = digest('network');
export const NETWORK = `docker-${NETWORK_ID.slice(0, 12)}`;
export const BRIDGE = `br-${NETWORK_ID.slice(0, 12)}`;

const SUBNETS = { 4: '10.88.0', 6: 'fd00:88:' } as const;

/** Endpoint number `n`, counted from 2, as dockerd would name it. */
export function endpointOf(n: number): Attachment {
  const containerId = digest('endpoint', String(n));
  return { camp: 'cnm', network: NETWORK, containerId, ifName: `peer${containerId.slice(0, 11)}` };
}

/** Its addresses, of both families, with the network's gateways. */
export function addressesOf(n: number, families: readonly (4 | 6)[] = [4, 6]): Addressing {
  const addresses = families.flatMap((family) => {
    const [base, length] = [`${SUBNETS[family]}${family === 4 ? '.' : ':'}`, family === 4 ? 24 : 64];
    return [{ address: prefixOf(`${base}${n}/${length}`), gateway: addrOf(`${base}1`) }];
  });
  return { addresses, routes: [] };
}

export interface OfferOptions {
  readonly mac?: string;
  readonly scope?: string | null;
  readonly families?: readonly (4 | 6)[];
  readonly rules?: Rules;
  /** Keys of the bridge driver's configuration. */
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly now?: number;
}

/** The offer of a CreateEndpoint for endpoint number `n`. */
export function offerRequest(n: number, given: OfferOptions = {}): OfferRequest {
  const { mac, scope = OWN_SCOPE, families, rules, conf = {}, now = 1_700_000_000_000 } = given;
  const config = { name: NETWORK, bridge: BRIDGE, isGateway: true, ipam: { type: 'host-local' }, ...conf };
  const { options } = parseNetconf({ config, strict: true });
  if (options.driver !== 'bridge') throw new Error('a bridge is wanted');
  return {
    attachment: endpointOf(n),
    driver: bridgeDriver(options, NETWORK),
    driverName: 'bridge',
    addressing: addressesOf(n, families),
    dockerNetwork: NETWORK_ID,
    now,
    ...(scope === null ? {} : { scope }),
    ...(mac === undefined ? {} : { mac }),
    ...(rules === undefined ? {} : { rules }),
  };
}

/** The rules that Docker's networks need. */
export function dockerRules(
  backend: Exclude<FirewallBackend, 'bridge' | 'firewalld'> = 'nftables',
  policy: IngressPolicy = 'closed',
  routed: readonly (4 | 6)[] = [],
): Rules {
  const ports = { snat: true, masqAll: false, conditions: { 4: [], 6: [] } };
  return {
    backend,
    options: {
      backend,
      policy,
      masquerade: { except: [], to: {} },
      ports: routed.length === 0 ? ports : { ...ports, routed },
    },
    mappings: [],
    admit: true,
  };
}

/** Records the network as kept while it has no endpoint. */
export function holdNetwork({ store }: Core): void {
  const row = store.networks.get(NETWORK);
  if (row === undefined) throw new Error(`${NETWORK} is not on record`);
  store.networks.put({ ...row, holders: [{ kind: 'docker', id: NETWORK_ID }] });
}
