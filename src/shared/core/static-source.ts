import type { Dns } from '../config/dns.ts';
import type { Assigned } from '../drivers/driver.ts';
import type { Route } from '../model/route.ts';
import type { LocalSource } from './core.ts';

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
