import type { CniResult } from '../../config/result.ts';
import { atLeast, type CniVersion } from '../../config/versions.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { type Family, formatAddr } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { formatPrefix } from '../../model/prefix.ts';
import type { Route } from '../../model/route.ts';

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
        ...(old ? { version: String(ip.address.addr.family) } : {}),
        interface: ip.interface,
        address: formatPrefix(ip.address),
        gateway: ip.gateway && formatAddr(ip.gateway),
      }),
    ),
    routes: result.routes.map(formatCniRoute),
    ...(hasDns || old ? { dns: result.dns } : {}),
  });
}

function formatCniRoute({ dst, gateway, mtu, advmss, priority, table, scope }: Route): Record<string, unknown> {
  const gw = gateway && formatAddr(gateway);
  const number = typeof scope === 'number' ? scope : undefined;
  return dropUndefined({ dst: formatPrefix(dst), gw, mtu, advmss, priority, table, scope: number });
}

/** One address for each family, with that family's routes. */
function format02(result: CniResult, version: CniVersion): Record<string, unknown> {
  const of = (family: Family) => {
    const ip = result.ips.find(({ address }) => address.addr.family === family);
    if (ip === undefined) return undefined;
    const routes = result.routes.filter(({ dst }) => dst.addr.family === family);
    return dropEmpty(
      dropUndefined({
        ip: formatPrefix(ip.address),
        gateway: ip.gateway && formatAddr(ip.gateway),
        routes: routes.map(({ dst, gateway }) => formatCniRoute({ dst, ...given({ gateway }) })),
      }),
    );
  };
  const [ip4, ip6] = [of(4), of(6)];
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
