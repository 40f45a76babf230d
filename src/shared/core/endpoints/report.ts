import type { Dns } from '../../config/dns.ts';
import type { Addressing, InterfaceReport } from '../../drivers/driver.ts';
import type { Host } from '../../host/host.ts';
import type { LinkFacts } from '../../model/endpoint.ts';
import type { EndpointReport, EndpointRequest } from '../requests.ts';

/**
 * The endpoint's report for its caller, with MACs and MTUs read from the kernel. Order: bridge, host side, sandbox
 * side, others.
 */
export function reportEndpoint(
  host: Host,
  { driver }: EndpointRequest,
  facts: LinkFacts,
  { addresses, routes }: Addressing,
  dns: Dns,
): EndpointReport {
  const [device, ...others] = driver.devices;
  const { links } = host.observe(host.own, { links: [...driver.devices, facts.hostIf] });
  const ofHost = (name: string): InterfaceReport => {
    const link = links.get(name);
    return { name, mac: link?.mac ?? '', mtu: link?.mtu ?? 0, inSandbox: false };
  };
  const hostSide = ofHost(facts.hostIf);
  const inside = { name: facts.ifName, mac: facts.mac, mtu: hostSide.mtu, inSandbox: true };
  return { interfaces: [ofHost(device), hostSide, inside, ...others.map(ofHost)], addresses, routes, dns };
}
