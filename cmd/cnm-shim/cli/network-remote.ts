import { documentOf } from '../../../src/shared/config/document.ts';
import { invalid } from '../../../src/shared/config/invalid.ts';
import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import type { RemotePool } from '../../../src/shared/config/remote.ts';
import { type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import { given } from '../../../src/shared/model/given.ts';
import { contains, formatPrefix, type Prefix, parsePrefix } from '../../../src/shared/model/prefix.ts';
import { specOfElement } from '../../../src/shared/runtime/configured-network.ts';
import { readSubnets, type SubnetOptions } from './network-subnets.ts';

/** Options of `network create` that a network of a Docker plugin has. */
export interface RemoteSpecOptions extends SubnetOptions {
  readonly plugin?: string;
  readonly ipam?: string;
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  readonly opt?: readonly string[];
}

/** The spec that the equivalent CNI configuration of driver `remote` gives. Its options are the plugin's. */
export function remoteSpec(name: string, options: RemoteSpecOptions): NetworkSpec {
  const { plugin, ipam, internal, ipv6, opt = [] } = options;
  const document = documentOf({
    ...{ cniVersion: '1.1.0', name, type: 'isthmus', driver: 'remote', plugin },
    options: Object.fromEntries(opt.map(readPluginOption)),
    ...(internal === true ? { internal } : {}),
    ...(ipam === undefined ? {} : { ipam: { type: 'remote', plugin: ipam, pools: poolsOf(options, ipv6 === true) } }),
  });
  const subnet = options.subnet?.[0];
  if (ipam === undefined && subnet !== undefined)
    throw invalid('--subnet', subnet, 'there is no IPAM plugin to request it from', 'Add --ipam, or leave it out');
  const spec = specOfElement(document);
  if (spec === undefined) throw new Error('a configuration of driver remote makes a network');
  return spec;
}

/** Without a subnet of a family, the plugin chooses it. */
function poolsOf(options: RemoteSpecOptions, ipv6: boolean): RemotePool[] {
  const pools = readSubnets(options).map(({ subnet, gateway }): RemotePool => {
    const address = gateway === undefined ? undefined : formatAddr(gateway);
    const part = (options.ipRange ?? []).find((text) => isWithin(text, subnet));
    const { family } = subnet.addr;
    return { family, subnet: formatPrefix(subnet), ...given({ gateway: address, ipRange: part }) };
  });
  const families: Family[] = pools.length === 0 ? [4] : [];
  if (ipv6 && !pools.some(({ family }) => family === 6)) families.push(6);
  return [...pools, ...families.map((family) => ({ family }))];
}

function isWithin(text: string, subnet: Prefix): boolean {
  const addr = parsePrefix(text)?.addr;
  return addr !== undefined && contains(subnet, addr);
}

function readPluginOption(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw invalid('--opt', text, 'it has no value', 'Write --opt KEY=VALUE');
}
