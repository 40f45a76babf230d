import { field, type Json, textField } from '../model/json.ts';
import { parseCniArgs } from './cni-args.ts';
import { invalid } from './invalid.ts';
import { type HostLocalSpec, parseHostLocal, parseStatic, type StaticSpec } from './ipam.ts';
import type { Given } from './ipam-values.ts';
import { atLeast, type CniVersion } from './versions.ts';

/** The built-in IPAM. */
export type LocalIpam = ({ readonly kind: 'pool' } & HostLocalSpec) | ({ readonly kind: 'static' } & StaticSpec);

/** The part of a Reading that the addresses depend on. */
interface IpamReading {
  readonly plugin: string;
  readonly command: 'ADD' | 'CHECK' | 'STATUS';
  /** CNI_ARGS, unparsed. */
  readonly args: string;
  readonly version: CniVersion;
}

/** The first version whose results hold several addresses of a family. */
const FIRST_WITH_LISTS: CniVersion = '0.3.0';

/** The built-in IPAM, under its reference name. Throws NetError `invalid-config`, `bad-environment` for CNI_ARGS. */
export function parseLocalIpam(config: Json, reading: IpamReading, kind: 'host-local' | 'static'): LocalIpam {
  const args = parseCniArgs(reading.args);
  const ipam = field(config, 'ipam');
  const strict = reading.plugin === 'isthmus' && textField(ipam, 'type') === undefined;
  const input = { ipam, path: '.ipam', strict, multiFamily: atLeast(reading.version, FIRST_WITH_LISTS) };
  const [fromArgs, fromConfig, fromRuntime] = requestsOf(config, reading.args);
  if (kind === 'host-local') {
    const requested = [...fromArgs, ...fromConfig, ...fromRuntime];
    return { kind: 'pool', ...parseHostLocal({ ...input, requested, ipRanges: runtimeValue(config, 'ipRanges') }) };
  }
  const overriding = fromRuntime.length > 0 ? fromRuntime : fromConfig;
  const gateways = addressesFrom('CNI_ARGS GATEWAY', args.get('GATEWAY')?.split(','));
  const spec = parseStatic({ ...input, added: fromArgs, overriding, gateways });
  if (spec.addresses.length > 0 || reading.command !== 'ADD') return { kind: 'static', ...spec };
  const hint = 'Add one: [{ "address": "10.0.0.2/24" }]';
  throw invalid('.ipam.addresses', undefined, 'there is no address to give', hint);
}

type Requests = readonly Given[];

/** The addresses that a caller asks for, wherever it says so. */
export function requestedIn(config: Json, args: string): Requests {
  return requestsOf(config, args).flat();
}

function requestsOf(config: Json, args: string): readonly [Requests, Requests, Requests] {
  return [
    addressesFrom('CNI_ARGS IP', parseCniArgs(args).get('IP')?.split(',')),
    addressesFrom('.args.cni.ips', field(field(field(config, 'args'), 'cni'), 'ips')),
    addressesFrom('.runtimeConfig.ips', runtimeValue(config, 'ips')),
  ];
}

function runtimeValue(config: Json, key: string): unknown {
  return field(field(config, 'runtimeConfig'), key);
}

/** Strings of one list, each with its path; other values become JSON, to be refused as addresses. */
function addressesFrom(path: string, value: unknown): { text: string; path: string }[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(path, value, 'it is not a list', 'Write ["10.88.0.9"]');
  return value.map((item, i) => ({
    text: typeof item === 'string' ? item : JSON.stringify(item),
    path: path.startsWith('.') ? `${path}[${i}]` : path,
  }));
}
