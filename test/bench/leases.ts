import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allocate } from '../../src/shared/ipam/allocate.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { type Attachment, hostId } from '../../src/shared/model/attachment.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { type Summary, summarize, timed } from './stats.ts';

/** The time of the next lease, by the number of existing ones. */
export type LeaseTimes = Readonly<Record<string, Summary>>;

const SAMPLES = 200;

/** Allocates in a /16 that holds 10, then `most` leases: one transaction per lease, as in an ADD. */
export function measureLeases(most: number): LeaseTimes {
  const stateDir = mkdtempSync(join(tmpdir(), 'isth-lease-'));
  try {
    using store = openSqliteStore({ stateDir, identity: { hostId: hostId('bench'), bootId: 'bench', bootedAt: 0 } });
    const sets = [[pool('10.64.0.0/16', '10.64.0.1', '10.64.255.254')]];
    const scope = 'bench/web';
    const owner = (id: string): Attachment => ({ camp: 'cni', network: 'web', containerId: id, ifName: 'eth0' });
    const add = (id: string): void => void allocate(store, { scope, sets, requested: [], owner: owner(id) });
    const fill = (from: number, to: number): void =>
      store.transaction(() => {
        for (let i = from; i < to; i++) add(`pod${i}`);
      });
    const next = (label: string): Summary => {
      const times = Array.from({ length: SAMPLES }, (_, i) => timed(() => add(`${label}${i}`)));
      for (let i = 0; i < SAMPLES; i++) release(store, scope, owner(`${label}${i}`));
      return summarize(times);
    };
    next('warm-up');
    fill(0, 10);
    const few = next('few');
    fill(10, most);
    return { '10': few, [most]: next('many') };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

function pool(subnet: string, first: string, last: string) {
  const [prefix, rangeStart, rangeEnd] = [parsePrefix(subnet), parseAddr(first), parseAddr(last)];
  if (prefix === undefined || rangeStart === undefined || rangeEnd === undefined) throw new Error(`bad pool ${subnet}`);
  return { subnet: prefix, rangeStart, rangeEnd, gateway: rangeStart };
}
