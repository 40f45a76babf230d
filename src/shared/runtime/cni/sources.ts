import type { LocalIpam } from '../../config/local-ipam.ts';
import type { IpamConfig } from '../../config/plugin-config.ts';
import type { AddressSource, Core, LocalSource } from '../../core/core.ts';
import { pluggedAddresses } from '../../core/plugins/addresses.ts';
import { networkOfPools } from '../../core/plugins/spec.ts';
import { leaseKeeper, poolSource, staticSource } from '../../core/pool-source.ts';
import type { Attachment } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { type DelegateCall, delegateSource } from '../delegate.ts';
import { type DhcpCall, dhcpSource } from '../dhcp.ts';
import { leaseScope } from '../spec-of.ts';
import { attachmentOf, type Call, type RemovalCall } from './request.ts';

/** The address source of an attachment. */
export function addressSource(call: Call, ipam: IpamConfig, owner: Attachment, core: Core): AddressSource {
  if (ipam.kind === 'remote') {
    const { routes, requested } = ipam;
    const wanted = { network: networkOfPools(owner.network, ipam), requested, routes };
    return pluggedAddresses(core, { ...plugging(call, owner), wanted });
  }
  if (core.foreignIpam !== undefined && (ipam.kind === 'dhcp' || ipam.kind === 'delegate'))
    return core.foreignIpam(ipam.kind === 'dhcp' ? ipam.kind : ipam.type);
  if (ipam.kind === 'dhcp') return dhcpSource(core, { ...surroundings(call, owner), options: ipam });
  return ipam.kind === 'delegate' ? delegate(call, ipam.type) : localSource(ipam, owner, core);
}

/** The built-in IPAM for one attachment. */
export function localSource(ipam: LocalIpam, owner: Attachment, core: Core): LocalSource {
  if (ipam.kind === 'pool') {
    const scope = leaseScope(ipam, owner.network);
    return poolSource({ ...ipam, dns: ipam.dns ?? {}, scope }, owner, core.host.identity);
  }
  return staticSource(ipam.addresses, ipam.routes, ipam.dns);
}

/** The address source to release to; undefined if there is nothing to release. `keep`: of a GC, what is alive. */
export function releaseSource(call: RemovalCall, core: Core, keep?: readonly Attachment[]): AddressSource | undefined {
  const { ipam } = call.config;
  if (ipam === undefined) return undefined;
  if (ipam.kind === 'delegate') return delegate(call, ipam.type);
  const owner = attachmentOf(call);
  if (ipam.kind === 'remote') {
    // The driver's plugin is asked first.
    return call.config.driver === 'remote'
      ? undefined
      : pluggedAddresses(core, { ...plugging(call, owner), ...given({ keep }) });
  }
  if (ipam.kind === 'dhcp') return dhcpSource(core, { ...surroundings(call, owner), ...given({ keep }) });
  return leaseKeeper(leaseScope(ipam, owner.network), owner, core.host.identity);
}

function delegate(call: Call, type: string): AddressSource {
  return delegateSource({ type, ...executing(call) });
}

function plugging({ text: config, variables }: Call, attachment: Attachment) {
  return { config, netns: variables.netns, attachment };
}

function surroundings(call: Call, attachment: Attachment): DhcpCall {
  const isAlone = call.plugin === 'dhcp';
  return { ...executing(call), attachment, netns: call.variables.netns, ...(isAlone ? { isAlone } : {}) };
}

function executing({ text, variables, env, stderr, gone, umask }: Call): Omit<DelegateCall, 'type'> {
  return { config: text, path: variables.path, env, stderr, ...given({ gone, umask }) };
}
