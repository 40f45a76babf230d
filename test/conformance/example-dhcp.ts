import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { dhcpReleases, referencePath } from '../support/e2e.ts';
import { type Lab, meet } from './example-lab.ts';

/** A DHCP server in a pod that is plugged into the bridge by hand, and the reference's daemon at its usual socket. */
export async function leaseByDhcp(lab: Lab): Promise<void> {
  const { host } = lab;
  const leases = '/run/isth/example.leases';
  const server = lab.emptyPod();
  const name = server.container.netns.replace('/run/netns/', '');
  host.run('ip', 'link', 'add', 'isth-leased', 'type', 'bridge');
  try {
    host.run('ip', 'link', 'set', 'isth-leased', 'up');
    host.run(...words(`ip link add server0 master isth-leased up type veth peer name eth0 netns ${name}`));
    server.run(...words('ip addr add 10.97.0.1/24 dev eth0'));
    server.run(...words('ip link set eth0 up'));
    host.write(leases, '');
    const options = `--keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --user=root --no-ping
      --dhcp-range=10.97.0.100,10.97.0.150,255.255.255.0,1h --dhcp-authoritative --dhcp-leasefile=${leases}
      --pid-file=/run/isth/example.dnsmasq --log-facility=-`;
    const command = ['ip', 'netns', 'exec', name, 'dnsmasq', ...words(options)];
    const dnsmasq = await lab.start('example-dnsmasq', command, () => host.logs().includes('DHCP, IP range 10.97'));
    const socket = '/run/cni/dhcp.sock';
    host.run('mkdir', '-p', '/run/cni');
    await lab.start('example-dhcp', [`${referencePath}/dhcp`, 'daemon'], () => existsSync(host.outside(socket)));
    const [a, b] = [lab.add(), lab.add()];
    for (const pod of [a, b]) assert.match(pod.addresses[0] ?? '', /^10\.97\.0\.1\d\d$/);
    assert.match(a.run('ip', 'route'), /^default via 10\.97\.0\.1 dev eth0/m);
    const given = host.run('cat', leases);
    for (const pod of [a, b]) assert.match(given, new RegExp(` ${pod.addresses[0]} `));
    meet(a, b);
    for (const pod of [a, b]) lab.delete(pod);
    if (dhcpReleases(host)) assert.equal(host.run('cat', leases), '', 'the server has its addresses back');
    await dnsmasq.stop();
  } finally {
    // The kernel deletes a namespace later than its name, and with it the other ends of its links.
    host.attempt(['ip', 'link', 'delete', 'server0']);
    host.run('ip', 'link', 'delete', 'isth-leased');
  }
}

function words(text: string): [string, ...string[]] {
  const [first = '', ...rest] = text.trim().split(/\s+/);
  return [first, ...rest];
}
