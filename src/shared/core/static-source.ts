import type { Assigned } from '../drivers/driver.ts';
import type { RouteSpec } from '../model/link.ts';
import type { Dns, LocalSource } from './core.ts';

/** Addresses that the configuration itself gives; nothing is kept, nothing can run out. */
export function staticSource(addresses: readonly Assigned[], routes: readonly RouteSpec[], dns: Dns): LocalSource {
  return {
    kind: 'local',
    acquire: () => ({ addresses, routes, dns }),
    release: () => {},
    check: () => {},
    status: () => {},
    collect: () => {},
  };
}
