import { given } from '../model/given.ts';
import type { Json } from '../model/json.ts';
import { readFlag, readIfName, readMtu, readNumber } from './interface-values.ts';
import { invalid } from './invalid.ts';

/** Options of the vlan driver; keys are the reference plugin's. */
export interface VlanOptions {
  readonly driver: 'vlan';
  /** The interface that carries the VLAN's frames. */
  readonly master: string;
  /** 1 to 4094. */
  readonly vlanId: number;
  /** Bytes; absent: the parent's. */
  readonly mtu?: number;
  /** The parent is in the sandbox. */
  readonly linkInContainer: boolean;
}

/** IEEE 802.1Q reserves 4095. */
const MAX_VLAN = 4094;

/**
 * Parses the keys of driver `vlan` in a configuration of valid shape. Throws NetError `invalid-config` for a missing key
 * or a number that no VLAN has.
 */
export function parseVlan(config: Json): VlanOptions {
  const master = readIfName(config, 'master');
  if (master === undefined) {
    throw invalid(
      '.master',
      undefined,
      'it is missing, and a VLAN needs an interface that carries it',
      'Name it: eth0',
    );
  }
  return {
    driver: 'vlan',
    master,
    vlanId: readVlanId(config),
    ...given({ mtu: readMtu(config) }),
    linkInContainer: readFlag(config, 'linkInContainer'),
  };
}

function readVlanId(config: Json): number {
  const vlanId = readNumber(config, 'vlanId');
  const hint = `Give a whole number from 1 to ${MAX_VLAN}`;
  if (vlanId === undefined) throw invalid('.vlanId', undefined, 'it is missing', hint);
  if (vlanId >= 1 && vlanId <= MAX_VLAN) return vlanId;
  const what =
    vlanId === 0
      ? 'frames with VLAN ID 0 belong to no VLAN: they only have a priority'
      : vlanId === MAX_VLAN + 1
        ? 'IEEE 802.1Q reserves this VLAN ID'
        : 'it is not a VLAN ID';
  throw invalid('.vlanId', vlanId, what, hint);
}
