import { field, isObject, textField } from '../../src/shared/config/fields.ts';
import type { Dns } from '../../src/shared/core/core.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import type { CniInterface, CniIp, CniResult, CniRoute } from './result.ts';

/**
 * A result of any version in the newest form. `where` names it in errors: `.prevResult`, `result of dhcp`.
 * Throws NetError `invalid-config` for what is no result.
 */
export function parseResult(value: unknown, where: string): CniResult {
  if (!isObject(value)) throw invalid(where, value, 'is no result object');
  const dns = parseDns(field(value, 'dns'));
  const ip4 = field(value, 'ip4');
  const ip6 = field(value, 'ip6');
  if (ip4 !== undefined || ip6 !== undefined) return { interfaces: [], ...parse02([ip4, ip6], where), dns };
  return {
    interfaces: list(value, 'interfaces', where).map((item, i) => parseInterface(item, `${where}.interfaces[${i}]`)),
    ips: list(value, 'ips', where).map((item, i) => parseIp(item, `${where}.ips[${i}]`)),
    routes: list(value, 'routes', where).map((item, i) => parseRoute(item, `${where}.routes[${i}]`)),
    dns,
  };
}

function parse02(families: readonly unknown[], where: string): Pick<CniResult, 'ips' | 'routes'> {
  const given = families.filter((item) => item !== undefined);
  return {
    ips: given.map((item) => parseIp({ address: field(item, 'ip'), gateway: field(item, 'gateway') }, where)),
    routes: given.flatMap((item) => list(item, 'routes', where).map((route) => parseRoute(route, where))),
  };
}

function parseInterface(item: unknown, where: string): CniInterface {
  const name = textField(item, 'name');
  if (name === undefined) throw invalid(where, item, 'has no name');
  const [mac, sandbox, socketPath, pciID] = ['mac', 'sandbox', 'socketPath', 'pciID'].map((key) =>
    textField(item, key),
  );
  const mtu = number(item, 'mtu');
  return {
    name,
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(pciID === undefined ? {} : { pciID }),
  };
}

function parseIp(item: unknown, where: string): CniIp {
  const address = textField(item, 'address');
  if (address === undefined || parsePrefix(address) === undefined) {
    throw invalid(`${where}.address`, field(item, 'address'), 'is no address with a prefix length');
  }
  const gateway = textField(item, 'gateway');
  if (gateway !== undefined && parseAddr(gateway) === undefined) {
    throw invalid(`${where}.gateway`, gateway, 'is no IP address');
  }
  const index = number(item, 'interface');
  return {
    address,
    ...(gateway === undefined ? {} : { gateway }),
    ...(index === undefined || index < 0 ? {} : { interface: index }),
  };
}

function parseRoute(item: unknown, where: string): CniRoute {
  const dst = textField(item, 'dst');
  if (dst === undefined || parsePrefix(dst) === undefined) {
    throw invalid(`${where}.dst`, field(item, 'dst'), 'is no prefix');
  }
  const gw = textField(item, 'gw');
  if (gw !== undefined && parseAddr(gw) === undefined) throw invalid(`${where}.gw`, gw, 'is no IP address');
  const numbers = ['mtu', 'advmss', 'priority', 'table', 'scope'].flatMap((key) => {
    const found = number(item, key);
    return found === undefined ? [] : [[key, found]];
  });
  return { dst, ...(gw === undefined ? {} : { gw }), ...Object.fromEntries(numbers) };
}

export function parseDns(value: unknown): Dns {
  const strings = (key: string): string[] => {
    const found = field(value, key);
    return Array.isArray(found) ? found.filter((item): item is string => typeof item === 'string') : [];
  };
  const domain = textField(value, 'domain');
  const lists = ['nameservers', 'search', 'options'].flatMap((key) => {
    const found = strings(key);
    return found.length > 0 ? [[key, found]] : [];
  });
  return { ...Object.fromEntries(lists), ...(domain === undefined ? {} : { domain }) };
}

function list(value: unknown, key: string, where: string): readonly unknown[] {
  const found = field(value, key);
  if (found === undefined) return [];
  if (!Array.isArray(found)) throw invalid(`${where}.${key}`, found, 'is no list');
  return found;
}

function number(value: unknown, key: string): number | undefined {
  const found = field(value, key);
  return typeof found === 'number' && Number.isInteger(found) ? found : undefined;
}

function invalid(path: string, value: unknown, what: string): NetError {
  const shown = JSON.stringify(value) ?? 'nothing';
  return new NetError({
    kind: 'invalid-config',
    op: 'result',
    subject: `${path}=${shown.length > 100 ? `${shown.slice(0, 100)}…` : shown}`,
    what,
    hint: 'It has to be a CNI result (SPEC.md section 5)',
  });
}
