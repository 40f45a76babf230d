import { field, textField } from '../../config/fields.ts';
import { invalid } from '../../config/invalid.ts';
import { dataDirOf, parseHostLocal, parseStatic } from '../../config/ipam.ts';
import { ipamType } from '../../config/netconf.ts';
import type { AddressSource, Core, LocalSource } from '../../core/core.ts';
import { leaseKeeper, poolSource } from '../../core/pool-source.ts';
import { staticSource } from '../../core/static-source.ts';
import { formatAddr } from '../../model/addr.ts';
import { given } from '../../model/given.ts';
import { delegateSource, findPlugin, isThisExecutable } from '../delegate.ts';
import { parseCniArgs } from './cni-args.ts';
import { attachmentOf, type Call } from './request.ts';
import { atLeast } from './versions.ts';

/** The address source of an attachment. Throws NetError for an invalid configuration. */
export function addressSource(call: Call, core: Core): AddressSource | undefined {
  const type = ipamType(call.config, call.plugin === 'isthmus');
  if (type === undefined) return undefined;
  if (type === '' || type === 'isthmus') return builtIn(call, core, 'host-local');
  const local = isThisExecutable(findPlugin(type, call.variables.path));
  return local ? builtIn(call, core, type === 'static' ? 'static' : 'host-local') : delegate(call, type);
}

/** The built-in IPAM, under its reference name. */
export function builtIn(call: Call, core: Core, kind: 'host-local' | 'static'): LocalSource {
  const args = parseCniArgs(call.variables.args);
  const strict = call.plugin === 'isthmus' && textField(field(call.config, 'ipam'), 'type') === undefined;
  const input = {
    ipam: field(call.config, 'ipam'),
    path: '.ipam',
    strict,
    multiFamily: atLeast(call.version, '0.3.0'),
  };
  const fromArgs = addressesFrom('CNI_ARGS IP', args.get('IP')?.split(','));
  const fromConfig = addressesFrom('.args.cni.ips', field(field(field(call.config, 'args'), 'cni'), 'ips'));
  const fromRuntime = addressesFrom('.runtimeConfig.ips', field(field(call.config, 'runtimeConfig'), 'ips'));
  if (kind === 'static') {
    const overriding = fromRuntime.length > 0 ? fromRuntime : fromConfig;
    const gateways = addressesFrom('CNI_ARGS GATEWAY', args.get('GATEWAY')?.split(','));
    const spec = parseStatic({ ...input, added: fromArgs, overriding, gateways });
    if (spec.addresses.length === 0 && call.variables.command === 'ADD') {
      throw invalid(
        '.ipam.addresses',
        undefined,
        'there is no address to give',
        'Add one: [{ "address": "10.0.0.2/24" }]',
      );
    }
    const addresses = spec.addresses.map(({ address, gateway }) => ({
      address,
      ...(gateway === undefined ? {} : { gateway: formatAddr(gateway) }),
    }));
    return staticSource(addresses, spec.routes, spec.dns);
  }
  const requested = [...fromArgs, ...fromConfig, ...fromRuntime];
  const spec = parseHostLocal({
    ...input,
    requested,
    ipRanges: field(field(call.config, 'runtimeConfig'), 'ipRanges'),
  });
  const owner = attachmentOf(call);
  const scope = `${spec.dataDir}/${owner.network}`;
  return poolSource({ ...spec, dns: spec.dns ?? {}, scope }, owner, core.host.identity);
}

/** The address source to release to, by identity alone: the rest of the configuration may be invalid. */
export function releaseSource(call: Call, core: Core): AddressSource | undefined {
  if (call.plugin === 'host-local') return keeper(call, core);
  if (call.plugin === 'static' || call.plugin === 'loopback') return undefined;
  const type = ipamType(call.config, call.plugin === 'isthmus');
  if (type === undefined || type === 'static') return type && !isOwn(call, type) ? delegate(call, type) : undefined;
  return type === '' || type === 'isthmus' || isOwn(call, type) ? keeper(call, core) : delegate(call, type);
}

function keeper(call: Call, core: Core): LocalSource {
  const owner = attachmentOf(call);
  return leaseKeeper(`${dataDirOf(field(call.config, 'ipam'))}/${owner.network}`, owner, core.host.identity);
}

function isOwn({ variables }: Call, type: string): boolean {
  try {
    return isThisExecutable(findPlugin(type, variables.path));
  } catch {
    return false;
  }
}

function delegate({ text, variables, env, stderr, gone, umask }: Call, type: string): AddressSource {
  return delegateSource({
    type,
    config: text,
    path: variables.path,
    env,
    stderr,
    ...given({ gone, umask }),
  });
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
