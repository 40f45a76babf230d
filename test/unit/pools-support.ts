import { strict as assert } from 'node:assert';
import type { Core } from '../../src/shared/core/core.ts';
import { poolSource } from '../../src/shared/core/pool-source.ts';
import {
  type AddressRequest,
  claimAddress,
  type PoolCandidate,
  type PoolContext,
  type PoolRequest,
  requestAddress,
  requestPool,
} from '../../src/shared/core/pools/pools.ts';
import type { RangeSet } from '../../src/shared/ipam/ranges.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { given } from '../../src/shared/model/given.ts';
import { formatPrefix, type Prefix } from '../../src/shared/model/prefix.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import type { LocalStore, PoolRow } from '../../src/shared/store/store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { prefixOf } from '../support/addresses.ts';
import { makeCore, scopeOf } from '../support/core.ts';
import { makeTempDir } from '../support/temp.ts';
import { addr } from './store-behaviour.ts';

/** Parses `base=10.1.0.0/22,size=24`, in the syntax of `isthmus serve --address-pool`. */
export function candidate(text: string): PoolCandidate {
  const [, base = '', size] = /^base=(\S+),size=(\d+)$/.exec(text) ?? [];
  return { base: prefixOf(base), size: Number(size) };
}

const CANDIDATES = ['base=10.192.0.0/12,size=22', 'base=fd00:1::/48,size=64'].map(candidate);

/** A PoolRequest with its subnet and range as text. */
export type AskedPool = Partial<Omit<PoolRequest, 'subnet' | 'range'>> & {
  readonly subnet?: string;
  readonly range?: string;
};

function poolRequest({ subnet, range, ...rest }: AskedPool): PoolRequest {
  const prefix = (text: string | undefined): Prefix | undefined => (text === undefined ? undefined : prefixOf(text));
  return { v6: false, ...rest, ...given({ subnet: prefix(subnet), range: prefix(range) }) };
}

/** Requests pools from a core: by default IPv4 ones, from the default candidates. */
export function poolsOn(core: Core): {
  ask: (request?: AskedPool, context?: Partial<PoolContext>) => PoolRow;
} {
  return {
    ask: (request = {}, context = {}) =>
      requestPool(core, poolRequest(request), { candidates: CANDIDATES, avoid: [], now: 1, ...context }),
  };
}

/** An endpoint of Docker. */
export function dockerEndpoint(containerId: string): Attachment {
  return { camp: 'cnm', network: 'docker-1', containerId, ifName: 'peer' };
}

export function podOf(containerId: string): Attachment {
  return { camp: 'cni', network: 'web', containerId, ifName: 'eth0' };
}

/** A core, with short methods for the requests of dockerd and CNI. Addresses are texts. */
export class PoolLab {
  readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  get store(): LocalStore {
    return this.core.store;
  }

  pool(request: AskedPool = {}): PoolRow {
    return poolsOn(this.core).ask({ subnet: '10.9.1.0/24', ...request });
  }

  /** Requests a pool of the Network `web`. */
  shared(request: AskedPool = {}): PoolRow {
    return poolsOn(this.core).ask({ network: 'web', ...request });
  }

  /** RequestAddress; the result has the prefix length of the subnet. */
  ask({ id }: Pick<PoolRow, 'id'>, use: AddressRequest['use'] = 'endpoint', address?: string, now = 1): string {
    const wanted = address === undefined ? {} : { address: addr(address) };
    return formatPrefix(requestAddress(this.core, { pool: id, use, now, ...wanted }));
  }

  /** Does the work of CreateEndpoint. */
  claim({ scope }: PoolRow, address: string, id: string): void {
    this.store.transaction(() => claimAddress(this.store, scope, addr(address), dockerEndpoint(id)));
  }

  /** Runs an ADD on the Network `web`. */
  pod(id: string, sets: readonly RangeSet[], requested: readonly string[] = []): string {
    const spec = { scope: scopeOf(), sets, requested: requested.map(addr), routes: [], dns: {} };
    const source = poolSource(spec, podOf(id), this.core.host.identity);
    const { addresses } = this.store.transaction(() => source.acquire(this.store));
    return addresses.map(({ address }) => formatPrefix(address)).join(' ');
  }

  /** Leases as `<address> <owner>`: the container, or `requested`. */
  leased({ scope }: Pick<PoolRow, 'scope'>): string[] {
    return this.store.leases.list(scope).map(({ address, owner, requestedAt }) => {
      return `${formatAddr(address)} ${requestedAt === undefined ? owner.containerId : 'requested'}`;
    });
  }

  /** The current record of the pool. */
  row({ id }: PoolRow): PoolRow {
    const found = this.store.pools.get(id);
    assert.ok(found, id);
    return found;
  }
}

/** Runs the tests of `body` on each kind of store; `lab` returns the lab of the current test. */
export function describePools(name: string, body: (lab: () => PoolLab) => void): void {
  describe(`${name} (in memory)`, () => {
    let lab: PoolLab;
    beforeEach(() => {
      lab = new PoolLab(makeCore(new FakeHost()));
    });
    body(() => lab);
  });

  describe(`${name} (SQLite)`, () => {
    let lab: PoolLab;
    let open: Disposable[] = [];
    beforeEach(() => {
      const directory = makeTempDir();
      const core = makeCore(new FakeHost());
      const store = openSqliteStore({ stateDir: directory.path, identity: core.host.identity });
      open = [store, directory];
      lab = new PoolLab({ ...core, store });
    });
    afterEach(() => {
      for (const one of open) one[Symbol.dispose]();
    });
    body(() => lab);
  });
}
