import type { BridgeOptions } from '../../config/bridge.ts';
import type { PtpOptions } from '../../config/ptp.ts';
import { given } from '../../model/given.ts';
import type { Driver } from '../driver.ts';
import { forwardingQuery, planForwarding } from '../forwarding.ts';
import { describeInside } from '../inside.ts';
import { hostMac } from '../mac.ts';
import { describeHost, familiesOf, isolated } from './addresses.ts';

/** ETH_DATA_LEN, linux/if_ether.h: of a veth that is made without one. */
const USUAL_MTU = 1500;

/**
 * Driver `ptp`: a veth pair for each endpoint, and no bridge: the host routes between them. Its options are those of the
 * reference ptp plugin. `ipv6`: as in BridgeOptions.
 */
export function ptpDriver({ mtu = USUAL_MTU }: PtpOptions, ipv6?: BridgeOptions['ipv6']): Driver {
  return {
    devices: [],
    separatesPorts: false,
    complete: (addressing) => addressing,
    query: (seen, addressing) => forwardingQuery(familiesOf(addressing), seen),
    planNetwork: (view, addressing) => ({ ops: planForwarding(familiesOf(addressing), view), undo: [] }),
    networkGuards: () => [],
    describeLink: (_, names) => ({ ...names, hostMac: hostMac(names.hostIf), mtu }),
    describeHost,
    describeInside: (addressing, isOwnIpam) => {
      const options = { up: true, detectDuplicates: false, isOwnIpam, ...given({ ipv6 }) };
      return isolated(describeInside(addressing, options), addressing);
    },
  };
}
