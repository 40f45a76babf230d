import { given } from '../model/given.ts';
import { field, type Json } from '../model/json.ts';
import { ifNameFault } from '../model/link.ts';
import { invalid } from './invalid.ts';
import { readTable } from './table.ts';

/** Options of the vrf plugin; keys are the reference plugin's. */
export interface VrfOptions {
  /** Of the VRF device in the container. */
  readonly vrf: string;
  /** Absent: that of the VRF, or a free one for a new VRF. */
  readonly table?: number;
}

/** Parses the keys of plugin `vrf`. Throws NetError `invalid-config`. */
export function parseVrf(config: Json): VrfOptions {
  const vrf = field(config, 'vrfname');
  const hint = 'Give the name of a VRF: "blue"';
  if (typeof vrf !== 'string') throw invalid('.vrfname', vrf, vrf === undefined ? 'is missing' : 'is no name', hint);
  const wrong = ifNameFault(vrf);
  if (wrong !== undefined) throw invalid('.vrfname', vrf, `it ${wrong}`, hint);
  return { vrf, ...given({ table: readTable(config) }) };
}
