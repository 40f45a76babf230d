import type { Dns } from '../config/dns.ts';
import type { Assigned } from '../drivers/driver.ts';
import { fault } from '../errors/fault.ts';
import type { HostIdentity } from '../host/host.ts';
import { allocate } from '../ipam/allocate.ts';
import { importDirectory, removeVoidFiles, writeFiles } from '../ipam/directory.ts';
import { free } from '../ipam/free.ts';
import { held, release, retain } from '../ipam/leases.ts';
import { formatSet, type RangeSet } from '../ipam/ranges.ts';
import { type Addr, formatAddr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import type { Route } from '../model/route.ts';
import type { LocalStore } from '../store/store.ts';
import type { IpamResult, LocalSource } from './core.ts';

/** The pools of one network, and the request of one attachment. */
export interface PoolSpec {
  readonly sets: readonly RangeSet[];
  readonly requested: readonly Addr[];
  /** HostLocalSpec.reserved. */
  readonly reserved?: readonly Addr[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
  /** `<dataDir>/<network>`. */
  readonly scope: string;
  /** HostLocalSpec.writeFiles. */
  readonly writeFiles?: true;
}

/** The built-in IPAM: allocates one address from each range set. */
export function poolSource(spec: PoolSpec, owner: Attachment, identity: HostIdentity): LocalSource {
  const { scope, sets, requested, reserved } = spec;
  return {
    ...leaseKeeper(scope, owner, identity),
    acquire: (store) => {
      importDirectory(store, scope, identity);
      const addresses = allocate(store, { scope, sets, requested, owner, ...given({ reserved }) });
      return { addresses, routes: spec.routes, dns: spec.dns } satisfies IpamResult;
    },
    ...(spec.writeFiles && {
      record: (store: LocalStore) => writeFiles(store, scope, held(store, scope, owner), identity),
    }),
    status: (store) => {
      importDirectory(store, scope, identity);
      assertRoom(store, spec);
    },
  };
}

/**
 * Releases and collects leases when only the scope is known (DEL and GC with a configuration that no longer parses).
 */
export function leaseKeeper(scope: string, owner: Attachment, identity: HostIdentity): LocalSource {
  return {
    kind: 'local',
    scope,
    acquire: () => {
      throw new Error(`${scope} is opened for release only`);
    },
    release: (store) => {
      importDirectory(store, scope, identity);
      release(store, scope, owner);
    },
    check: (store, expected) => {
      importDirectory(store, scope, identity);
      assertHeld(store, scope, owner, expected);
    },
    status: () => {},
    collect: (store, keep) => {
      importDirectory(store, scope, identity);
      retain(store, scope, owner.camp, keep);
      removeVoidFiles(scope, identity);
    },
  };
}

function assertHeld(store: LocalStore, scope: string, owner: Attachment, expected: readonly Addr[]): void {
  const leased = held(store, scope, owner).map(({ address }) => formatAddr(address));
  const wanted = expected.map(formatAddr);
  const missing =
    leased.length === 0 && wanted.length === 0 ? 'any address' : wanted.find((text) => !leased.includes(text));
  if (missing === undefined) return;
  throw fault.drift(
    'CHECK',
    `container ${owner.containerId} interface ${owner.ifName}`,
    `has no lease of ${missing} in network ${owner.network}`,
    'Run DEL, then ADD',
  );
}

function assertRoom(store: LocalStore, { scope, sets, reserved }: PoolSpec): void {
  for (const [i, { total, leased }] of free(store, scope, sets, reserved).entries()) {
    if (BigInt(leased) < total) continue;
    throw fault.unavailable(
      'STATUS',
      formatSet(sets[i] ?? []),
      `${leased} of ${total} addresses are leased`,
      'Delete what is no longer used (CNI GC finds it), or give the network a larger range',
    );
  }
}

/** Addresses from the configuration itself. It stores nothing and cannot run out. */
export function staticSource(addresses: readonly Assigned[], routes: readonly Route[], dns: Dns): LocalSource {
  return {
    kind: 'local',
    acquire: () => ({ addresses, routes, dns }),
    release: () => {},
    check: () => {},
    status: () => {},
    collect: () => {},
  };
}
