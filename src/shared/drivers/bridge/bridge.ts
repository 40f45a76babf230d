import type { BridgeOptions } from '../../config/bridge.ts';
import type { View } from '../../host/host.ts';
import { given } from '../../model/given.ts';
import type { Addressing, Driver, EndpointNames } from '../driver.ts';
import { describeInside } from '../inside.ts';
import { completeAddressing } from './gateways.ts';
import { networkGuards, networkQuery, planNetwork } from './network.ts';
import { describePort } from './port.ts';
import { gatewayDevice } from './vlan.ts';

/**
 * Driver `bridge`: one veth pair for each endpoint, with its host side as a bridge port. Its options are those of the
 * reference bridge plugin.
 */
export function bridgeDriver(options: BridgeOptions, network: string): Driver {
  return {
    devices:
      options.vlan === undefined || !options.isGateway ? [options.bridge] : [options.bridge, gatewayDevice(options)],
    separatesPorts: options.portIsolation,
    complete: (addressing) => completeAddressing(options, addressing),
    query: (seen, addressing) => networkQuery(options, seen, addressing),
    planNetwork: (view: View, addressing: Addressing) => planNetwork(options, network, view, addressing),
    networkGuards: (addressing) => networkGuards(options, addressing),
    describeLink: (view: View, names: EndpointNames) => describePort(options, view, names),
    describeInside: (addressing, isOwnIpam) =>
      describeInside(addressing, {
        up: !options.disableContainerInterface,
        detectDuplicates: options.enabledad,
        isOwnIpam,
        ...given({ ipv6: options.ipv6 }),
      }),
  };
}
