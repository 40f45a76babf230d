import { strict as assert } from 'node:assert';
import { DhcpClients } from '../../cmd/cnm-shim/dhcp/leases.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { checkLone } from '../../src/shared/core/endpoints/check-lone.ts';
import { createLone } from '../../src/shared/core/endpoints/create-lone.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import type { LoneRequest } from '../../src/shared/core/requests.ts';
import { macvlanDriver } from '../../src/shared/drivers/lone/macvlan.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { dhcpSource } from '../../src/shared/runtime/dhcp.ts';
import { attachmentOf, makeCore } from '../support/core.ts';
import { until } from '../support/daemon-site.ts';
import { dnsmasqMissing, startDhcpServer } from '../support/dhcp-server.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

describe('macvlan with addresses from a DHCP server', () => {
  before(function () {
    skipIf(this, netnsMissing() ?? dnsmasqMissing());
  });

  it('has the address and the MTU of the server, and DEL releases it while the interface is up', async () => {
    using lan = makeNetns('lan');
    using pod = makeNetns('pod');
    lan.ip('link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', pod.name);
    lan.ip('addr', 'add', '10.6.0.1/24', 'dev', 'lan0');
    lan.ip('link', 'set', 'lan0', 'up');
    pod.ip('link', 'set', 'up0', 'up');
    const range = ['10.6.0.100', '10.6.0.150'] as const;
    await using server = await startDhcpServer(lan, { dev: 'lan0', range, args: ['--dhcp-option=26,1400'] });
    using host = openLinuxHost({ ...process.env, ISTHMUS_HOST_ID: 'dhcp-macvlan' });
    const made = makeCore(host);
    using dhcp = new DhcpClients({
      ...{ host, log: made.log },
      core: () => ({ ...made, [Symbol.dispose]() {} }),
    });
    const core: Core = { ...made, dhcp };
    const attachment = attachmentOf();
    const options = {
      driver: 'macvlan',
      master: 'up0',
      mode: 'bridge',
      linkInContainer: true,
    } as const;
    const request: LoneRequest = {
      ...{ attachment, role: 'interface', netns: pod.path, ownNamespace: false, aliases: [] },
      driver: macvlanDriver(options),
      source: dhcpSource(core, {
        ...{ attachment, netns: pod.path, config: '{}', path: [], env: {}, stderr: () => {} },
        options: { request: [1, 3, 26], provide: [] },
      }),
    };
    const { interfaces, addresses, routes } = await createLone(core, request);
    const address = addresses.map((one) => formatPrefix(one.address))[0] ?? '';
    assert.match(address, /^10\.6\.0\.1\d\d\/24$/);
    assert.equal(interfaces[0]?.mtu, 1400);
    const shown = pod.ip('-d', 'addr', 'show', 'dev', 'eth0');
    assert.match(shown, /mtu 1400/);
    assert.match(shown, /macvlan mode bridge/);
    assert.ok(shown.includes(`inet ${address}`), shown);
    pod.run('busybox', 'ping', '-c', '1', '-W', '2', '10.6.0.1');
    await checkLone(core, request, { interfaces, addresses, routes });
    assert.equal(server.leases().length, 1);
    assert.deepEqual(await deleteEndpoint(core, { ...request, orphans: 'own' }), []);
    await until(() => server.leases().length === 0, 'the release');
    assert.doesNotMatch(pod.ip('link'), /eth0/);
  });
});
