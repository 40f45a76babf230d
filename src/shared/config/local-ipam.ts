import { field, type Json, textField } from '../model/json.ts';
import { parseCniArgs } from './cni-args.ts';
import { invalid } from './invalid.ts';
import { type HostLocalSpec, parseHostLocal, parseStatic, type StaticSpec } from './ipam.ts';
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
  const fromArgs = addressesFrom('CNI_ARGS IP', args.get('IP')?.split(','));
  const fromConfig = addressesFrom('.args.cni.ips', field(field(field(config, 'args'), 'cni'), 'ips'));
  const fromRuntime = addressesFrom('.runtimeConfig.ips', runtimeValue(config, 'ips'));
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
