import type { OverlayOptions } from '../../config/overlay.ts';
import { fault } from '../../errors/fault.ts';
import { NetError } from '../../errors/net-error.ts';
import type { Host } from '../../host/host.ts';
import { EADDRINUSE, EEXIST } from '../../netlink/constants.ts';

/**
 * Says more of what the kernel refuses about a VXLAN device: it binds the UDP port when the device goes up, and a VNI
 * belongs to one device of all namespaces that were made in this one. Returns the NetError, or `thrown` itself.
 */
export function explainOverlay(
  host: Pick<Host, 'observe' | 'own'>,
  network: string,
  { vxlan: { device, id, port } }: OverlayOptions,
  thrown: unknown,
): unknown {
  if (!(thrown instanceof NetError) || thrown.subject !== `link ${device}`) return thrown;
  if (thrown.errno === EADDRINUSE) {
    const what = `another socket of this host has UDP port ${port}, which its VXLAN device needs`;
    const hint = `Stop what "ss -ulnp sport = ${port}" shows, or give the cluster another port`;
    return fault.conflict('overlay', `network ${network}`, what, hint, { cause: thrown });
  }
  if (thrown.errno !== EEXIST || thrown.op !== 'link.create') return thrown;
  const { links } = host.observe(host.own, { links: 'all' });
  const other = [...links.values()].find(({ vxlan }) => vxlan?.id === id);
  const who = other === undefined ? 'a VXLAN device that another namespace has' : `link ${other.name}`;
  const what = `${who} holds VNI ${id} on UDP port ${port} of this host`;
  const hint = 'Remove it ("ip -d link show type vxlan" in each namespace), or give the network another VNI';
  return fault.conflict('overlay', `network ${network}`, what, hint, { cause: thrown });
}
