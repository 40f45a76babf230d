import type { CniResult } from '../../config/result.ts';
import { atLeast, type CniVersion } from '../../config/versions.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';

/** Converts the result to `version`. Throws NetError if 0.1.0 or 0.2.0 cannot express it: they need an address. */
export function formatResult(result: CniResult, version: CniVersion): Record<string, unknown> {
  if (!atLeast(version, '0.3.0')) return format02(result, version);
  const newest = atLeast(version, '1.1.0');
  const old = !atLeast(version, '1.0.0');
  const hasDns = Object.keys(result.dns).length > 0;
  return dropEmpty({
    cniVersion: version,
    interfaces: result.interfaces.map(({ name, mac, mtu, sandbox, socketPath, pciID }) =>
      dropUndefined({
        name,
        mac,
        ...(newest ? { mtu: mtu || undefined } : {}),
        sandbox,
        ...(newest ? { socketPath, pciID } : {}),
      }),
    ),
    ips: result.ips.map((ip) =>
      dropUndefined({
        ...(old ? { version: ip.address.includes(':') ? '6' : '4' } : {}),
        interface: ip.interface,
        address: ip.address,
        gateway: ip.gateway,
      }),
    ),
    routes: result.routes.map(({ dst, gw, mtu, advmss, priority, table, scope }) =>
      dropUndefined({ dst, gw, mtu, advmss, priority, table, scope }),
    ),
    ...(hasDns || old ? { dns: result.dns } : {}),
  });
}

/** One address for each family, with that family's routes. */
function format02(result: CniResult, version: CniVersion): Record<string, unknown> {
  const family = (six: boolean) => {
    const ip = result.ips.find(({ address }) => address.includes(':') === six);
    if (ip === undefined) return undefined;
    const routes = result.routes.filter(({ dst }) => dst.includes(':') === six);
    return dropEmpty(
      dropUndefined({
        ip: ip.address,
        gateway: ip.gateway,
        routes: routes.map(({ dst, gw }) => dropUndefined({ dst, gw })),
      }),
    );
  };
  const [ip4, ip6] = [family(false), family(true)];
  if (ip4 === undefined && ip6 === undefined) throw unsayable(version);
  return dropUndefined({ cniVersion: version, ip4, ip6, dns: result.dns });
}

/** The elements that a 0.1.0 or 0.2.0 result requires and this one lacks. */
export function unsayable(version: CniVersion): NetError {
  return fault.incompatibleVersion(
    'result',
    `.cniVersion="${version}"`,
    'cannot convert: no valid IP addresses, and a result of this version is nothing but addresses',
    'Set cniVersion to 0.3.0 or newer, or give .ipam',
  );
}

function dropUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function dropEmpty(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !Array.isArray(value) || value.length > 0));
}
