import fc from 'fast-check';
import type { CniInterface, CniIp, CniResult } from '../../src/shared/config/result.ts';
import { atLeast, type CniVersion } from '../../src/shared/config/versions.ts';
import type { Route } from '../../src/shared/model/route.ts';
import { addrOf, prefixOf } from './addresses.ts';

/** A result, as far as a version of the specification has words for it. */
export function sayable(result: CniResult, version: CniVersion): CniResult {
  if (!atLeast(version, '0.3.0')) return oldest(result);
  if (atLeast(version, '1.1.0')) return result;
  return { ...result, interfaces: result.interfaces.map(({ mtu, socketPath, pciID, ...known }) => known) };
}

/** One address a family, routes of these families without metrics, no interfaces. */
function oldest({ ips, routes, dns }: CniResult): CniResult {
  const first = [4, 6].flatMap((family) => ips.find(({ address }) => address.addr.family === family) ?? []);
  return {
    interfaces: [],
    ips: first.map(({ interface: index, ...known }) => known),
    routes: first.flatMap(({ address }) =>
      routes
        .filter(({ dst }) => dst.addr.family === address.addr.family)
        .map(({ dst, gateway }) => ({ dst, ...(gateway === undefined ? {} : { gateway }) })),
    ),
    dns,
  };
}

export function arbitraryResult(): fc.Arbitrary<CniResult> {
  const keys = {
    interfaces: fc.array(arbitraryInterface(), { maxLength: 3 }),
    ips: fc.array(arbitraryIp(), { maxLength: 4 }),
    routes: fc.array(arbitraryRoute(), { maxLength: 4 }),
    dns: optional({ nameservers: texts(), domain: text(), search: texts(), options: texts() }),
  };
  return fc.record(keys, { noNullPrototype: true });
}

function arbitraryInterface(): fc.Arbitrary<CniInterface> {
  const others = optional({
    mac: text(),
    mtu: fc.integer({ min: 1, max: 65535 }),
    sandbox: text(),
    socketPath: text(),
  });
  return fc.tuple(text(), others, optional({ pciID: text() })).map(([name, a, b]) => ({ name, ...a, ...b }));
}

function arbitraryIp(): fc.Arbitrary<CniIp> {
  const others = { interface: fc.integer({ min: 0, max: 9 }) };
  return fc.oneof(
    fc
      .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), optional({ ...others, gateway: fc.ipV4().map(addrOf) }))
      .map(([ip, length, rest]) => ({ address: prefixOf(`${ip}/${length}`), ...rest })),
    fc
      .tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), optional({ ...others, gateway: fc.ipV6().map(addrOf) }))
      .map(([ip, length, rest]) => ({ address: prefixOf(`${ip}/${length}`), ...rest })),
  );
}

function arbitraryRoute(): fc.Arbitrary<Route> {
  const number = fc.nat(255);
  const metrics = { mtu: number, advmss: number, priority: number, table: number, scope: number };
  return fc.oneof(
    fc
      .tuple(fc.ipV4(), optional({ ...metrics, gateway: fc.ipV4().map(addrOf) }))
      .map(([ip, rest]) => ({ dst: prefixOf(`${ip}/32`), ...rest })),
    fc
      .tuple(fc.ipV6(), optional({ ...metrics, gateway: fc.ipV6().map(addrOf) }))
      .map(([ip, rest]) => ({ dst: prefixOf(`${ip}/128`), ...rest })),
  );
}

/** An object with any of the keys. */
function optional<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record<T, never>(model, { requiredKeys: [], noNullPrototype: true });
}

function text(): fc.Arbitrary<string> {
  return fc.string({ minLength: 1 });
}

function texts(): fc.Arbitrary<string[]> {
  return fc.array(text(), { minLength: 1, maxLength: 3 });
}
