import { field, type Json } from '../model/json.ts';
import { invalid } from './invalid.ts';

const MAX_TABLE = 0xffff_ffff;

/** Returns the key `table`, a routing table's number; undefined without it, and for 0. Throws NetError `invalid-config`. */
export function readTable(config: Json): number | undefined {
  const table = field(config, 'table');
  if (table === undefined || table === null || table === 0) return undefined;
  if (typeof table === 'number' && Number.isInteger(table) && table > 0 && table <= MAX_TABLE) return table;
  const hint = 'Leave it out to get a free one';
  throw invalid('.table', table, `a routing table has a number from 1 to ${MAX_TABLE}`, hint);
}
