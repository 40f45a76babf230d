import { type Addr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { field, type Json } from '../model/json.ts';
import { invalid } from './invalid.ts';
import { readTable } from './table.ts';

/** Options of the sbr plugin; keys are the reference plugin's. */
export interface SbrOptions {
  /** The routing table of all addresses, which another program fills. Default: a free table for each address. */
  readonly table?: number;
  /** The gateways of the tables' default routes, one of a family at most. Absent: those that IPAM gave. */
  readonly gateways: readonly Addr[];
  /** Routes in the tables name the address as their source. */
  readonly addSourceHints: boolean;
}

/** Parses the keys of plugin `sbr`. Throws NetError `invalid-config`. */
export function parseSbr(config: Json): SbrOptions {
  const hints = field(config, 'addSourceHints') ?? false;
  if (typeof hints !== 'boolean') throw invalid('.addSourceHints', hints, 'it is neither true nor false', 'Use true');
  return { ...given({ table: readTable(config) }), gateways: readGateways(config), addSourceHints: hints };
}

function readGateways(config: Json): Addr[] {
  const value = field(config, 'gateways') ?? [];
  const hint = 'Write ["10.0.0.1", "fd00::1"]';
  if (!Array.isArray(value)) throw invalid('.gateways', value, 'it is not a list', hint);
  const found: Addr[] = [];
  for (const [i, item] of value.entries()) {
    const addr = typeof item === 'string' ? parseAddr(item) : undefined;
    if (addr === undefined) throw invalid(`.gateways[${i}]`, item, 'it is not an IP address', hint);
    if (found.some(({ family }) => family === addr.family))
      throw invalid(`.gateways[${i}]`, item, `it is the second IPv${addr.family} gateway`, 'Give one of each family');
    found.push(addr);
  }
  return found;
}
