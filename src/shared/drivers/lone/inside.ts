import type { InsideFacts } from '../../model/interface-facts.ts';
import type { Addressing } from '../driver.ts';
import { describeInside } from '../inside.ts';

/**
 * Addresses and routes of an interface on a network that others run: it detects duplicates, and its IPv6 is as the
 * kernel has it, with the network's own routers.
 */
export function describeLone(addressing: Addressing): InsideFacts {
  return describeInside(addressing, { up: true, detectDuplicates: true, isOwnIpam: false });
}
