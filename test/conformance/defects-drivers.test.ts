import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceDir } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import { LAN4, LAN6, reaches } from '../support/lan.ts';
import { canPing } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';
import { type DriverLab, driverDefect, isThere, lanIpam } from './driver-defect.ts';

// The defects of the drivers without a bridge, in the order of the page's rows. Two of them are parts of rows that a
// bridge has too: D2 (the namespace is a plain file) and D6 (MAC= in CNI_ARGS).

const UP0 = { master: 'up0' };
const FIXED = { type: 'static', addresses: [{ address: '10.5.0.60/24', gateway: LAN4 }] };
const BAD_ROUTE = { ...FIXED, routes: [{ dst: '10.99.0.0/16', gw: '172.31.0.1' }] };
const PTP = { type: 'static', addresses: [{ address: '10.8.0.2/24', gateway: '10.8.0.1' }] };

driverDefect('D24', 'macvlan, at an exhausted pool and at a route', {
  reference: (lab) => {
    for (const [pod, keys] of failingMacvlans(lab).entries()) {
      lab.fails('macvlan', 'ADD', { pod, keys });
      assert.equal(isThere(lab, 'eth0', pod), true);
    }
  },
  ours: (lab) => {
    const before = lab.host.snapshot();
    for (const [pod, keys] of failingMacvlans(lab).entries()) {
      lab.fails('macvlan', 'ADD', { pod, keys });
      assertSame(lab.host.snapshot(), before);
    }
  },
});

driverDefect('D25', 'ptp and host-device, at an IPAM that fails', {
  reference: (lab) => {
    lab.fails('ptp', 'ADD', { keys: { ipam: { ...PTP, routes: [{ dst: '10.99.0.0/16', gw: '10.8.0.255' }] } } });
    assert.equal(isThere(lab), true);
    lab.fails('host-device', 'ADD', { pod: 1, keys: { device: 'up0', ipam: { type: 'nosuch' } } });
    assert.equal(isThere(lab, 'eth0', 1), true);
  },
  ours: (lab) => {
    const before = lab.host.snapshot();
    lab.fails('ptp', 'ADD', { keys: { ipam: { ...PTP, routes: [{ dst: '10.99.0.0/16', gw: '10.8.0.255' }] } } });
    assertSame(lab.host.snapshot(), before);
    lab.fails('host-device', 'ADD', { pod: 1, keys: { device: 'up0', ipam: { type: 'nosuch' } } });
    assertSame(lab.host.snapshot(), before);
  },
});

driverDefect('D27', 'DEL', {
  reference: (lab) => {
    assert.match(
      lab.fails('vlan', 'DEL', { keys: { master: 'gone0', vlanId: 10, ipam: FIXED } }),
      /Link not found|gone0/,
    );
  },
  ours: (lab) => void lab.ok('vlan', 'DEL', { keys: { master: 'gone0', vlanId: 10, ipam: FIXED } }),
});

driverDefect('D28', 'DEL', {
  reference: (lab) => {
    assert.match(lab.fails('ipvlan', 'DEL', { keys: { mode: 'l3', ipam: FIXED } }), /default route/);
  },
  ours: (lab) => void lab.ok('ipvlan', 'DEL', { keys: { mode: 'l3', ipam: FIXED } }),
});

driverDefect('D29', 'ADD and DEL', {
  reference: (lab) => {
    for (const command of ['ADD', 'DEL'] as const) assert.match(lab.fails('ptp', command), /no plugin name provided/);
  },
  ours: (lab) => {
    const before = lab.host.snapshot();
    lab.ok('ptp', 'ADD');
    assert.equal(isThere(lab), true);
    lab.ok('ptp', 'DEL');
    assertSame(lab.host.snapshot(), before);
  },
});

driverDefect('D30', 'DEL', {
  reference: (lab) => {
    const keys = { device: 'up0', ipam: lanIpam(lab) };
    for (const netns of [undefined, '']) {
      lab.ok('host-device', 'ADD', { keys });
      lab.ok('host-device', 'DEL', { keys, ...(netns === undefined ? {} : { netns }) });
      if (netns === undefined) lab.fails('host-device', 'DEL', { keys });
    }
    assert.deepEqual(leaseFiles(lab), ['10.5.0.51']);
  },
  ours: (lab) => {
    const keys = { device: 'up0', ipam: lanIpam(lab) };
    const before = lab.host.snapshot();
    for (const netns of [{}, { netns: '' }]) {
      lab.ok('host-device', 'ADD', { keys });
      for (let i = 0; i < 2; i++) lab.ok('host-device', 'DEL', { keys, ...netns });
      assertSame(lab.host.snapshot(), before);
    }
  },
});

driverDefect('D31', 'a device with an address and a route, renamed in the container', {
  reference: (lab) => {
    const { ns } = lab.host;
    dress(lab);
    lab.ok('host-device', 'ADD', { keys: { device: 'up0' } });
    lab.ok('host-device', 'DEL', { keys: { device: 'up0' } });
    assert.doesNotMatch(ns.ip('addr', 'show', 'up0'), /10\.5\.0\.9|[<,]UP[,>]/);
    ns.ip('link', 'set', 'up0', 'up');
    lab.ok('host-device', 'ADD', { keys: { device: 'up0' } });
    lab.host.pod(0).ip('link', 'set', 'eth0', 'down');
    lab.host.pod(0).ip('link', 'set', 'eth0', 'name', 'net9');
    lab.fails('host-device', 'DEL', { keys: { device: 'up0' } });
  },
  ours: (lab) => {
    dress(lab);
    const before = lab.host.snapshot();
    lab.ok('host-device', 'ADD', { keys: { device: 'up0' } });
    lab.host.pod(0).ip('link', 'set', 'eth0', 'down');
    lab.host.pod(0).ip('link', 'set', 'eth0', 'name', 'net9');
    lab.ok('host-device', 'DEL', { keys: { device: 'up0' } });
    assertSame(lab.host.snapshot(), before);
  },
});

driverDefect('D32', 'the first echo request after ADD', {
  reference: (lab) => {
    lab.ok('ptp', 'ADD', { keys: { ipam: lanIpam(lab, { subnet: 'fd07::/64', rangeStart: 'fd07::2' }) } });
    assert.equal(canPing(lab.host.pod(0), 'fd07::1'), false);
  },
  ours: (lab) => {
    lab.ok('ptp', 'ADD', { keys: { ipam: lanIpam(lab, { subnet: 'fd07::/64', rangeStart: 'fd07::2' }) } });
    assert.equal(canPing(lab.host.pod(0), 'fd07::1'), true);
  },
});

/** As Calico and others give addresses: alone, with a gateway that is no neighbour; and without a gateway. */
const SINGLE = [
  { address: '10.8.0.2/32', gateway: '169.254.1.1', routes: [{ dst: '0.0.0.0/0' }] },
  { address: '10.8.0.2/24', routes: [] },
].map(({ routes, ...address }) => ({ type: 'static', addresses: [address], routes }));

driverDefect('D33', 'a single address, and one without a gateway', {
  reference: (lab) => {
    for (const [pod, ipam] of SINGLE.entries()) {
      lab.fails('ptp', 'ADD', { pod, keys: { ipam } });
      assert.equal(isThere(lab, 'eth0', pod), true);
    }
  },
  ours: (lab) => {
    for (const ipam of SINGLE) {
      lab.ok('ptp', 'ADD', { keys: { ipam } });
      assert.match(lab.host.ns.ip('route'), /^10\.8\.0\.2 dev veth/m);
      if (ipam.routes.length > 0) assert.equal(reaches(lab.host.ns, '10.8.0.2'), true);
      lab.ok('ptp', 'DEL', { keys: { ipam } });
    }
  },
});

driverDefect('D34', 'the route of the host, and masquerading', {
  reference: (lab) => assert.deepEqual(checksOfPtp(lab), [0, 0]),
  ours: (lab) => assert.deepEqual(checksOfPtp(lab), [1, 1]),
});

driverDefect('D35', 'DEL', {
  reference: (lab) => {
    lab.ok('ptp', 'ADD', { keys: { ipam: PTP } });
    lab.ok('ptp', 'DEL', { keys: { ipam: PTP }, netns: '' });
    assert.match(lab.host.ns.ip('link'), /veth/);
  },
  ours: (lab) => {
    const before = lab.host.snapshot();
    lab.ok('ptp', 'ADD', { keys: { ipam: PTP } });
    lab.ok('ptp', 'DEL', { keys: { ipam: PTP }, netns: '' });
    assertSame(lab.host.snapshot(), before);
  },
});

const MAC = '02:aa:bb:cc:dd:01';

driverDefect('D36', 'owner and group', {
  reference: {
    '1.1.1': hasNoTap,
    '1.9.1': (lab) => {
      lab.ok('tap', 'ADD', { keys: { mac: MAC, owner: 0, group: 0 } });
      const shown = lab.host.pod(0).ip('-d', 'link', 'show', 'eth0');
      assert.match(shown, /pi on vnet_hdr on/);
      assert.doesNotMatch(shown, new RegExp(MAC));
    },
  },
  ours: (lab) => {
    lab.ok('tap', 'ADD', { keys: { mac: MAC, owner: 0, group: 0 } });
    const shown = lab.host.pod(0).ip('-d', 'link', 'show', 'eth0');
    assert.match(shown, new RegExp(`${MAC}.*pi off vnet_hdr off persist on user root group root`, 's'));
  },
});

driverDefect('D37', 'another interface has the name', {
  reference: {
    '1.1.1': hasNoTap,
    '1.9.1': (lab) => {
      const [{ mac } = {}] = lab.ok('tap', 'ADD').interfaces ?? [];
      const again = lab.run('tap', 'ADD', { keys: { name: 'other' } });
      assert.equal(again.code, 0, again.stdout);
      assert.equal(again.json?.interfaces?.[0]?.mac, mac);
      assert.match(lab.host.pod(0).ip('link'), /veth/);
    },
  },
  ours: (lab) => {
    lab.ok('tap', 'ADD');
    const before = lab.host.snapshot();
    assert.match(lab.fails('tap', 'ADD', { keys: { name: 'other' } }), /eth0/);
    assertSame(lab.host.snapshot(), before);
  },
});

const SBR = {
  type: 'static',
  addresses: [
    { address: '10.5.0.77/24', gateway: LAN4 },
    { address: 'fd00:5::77/64', gateway: LAN6 },
  ],
  routes: [{ dst: '10.66.0.0/16' }, { dst: '0.0.0.0/0' }],
};

driverDefect('D38', 'a neighbour on link-local', {
  reference: async (lab) => assert.equal(await reachesLinkLocal(lab), false),
  ours: async (lab) => assert.equal(await reachesLinkLocal(lab), true),
});

driverDefect('D39', 'ADD, DEL, ADD', {
  reference: (lab) => {
    const prevResult = attachSbr(lab);
    lab.ok('sbr', 'ADD', { keys: { prevResult } });
    lab.ok('sbr', 'DEL');
    assert.match(lab.fails('sbr', 'ADD', { keys: { prevResult } }), /file exists/);
  },
  ours: (lab) => {
    const prevResult = attachSbr(lab);
    const shown = (): string[] =>
      ['rule', 'route'].map((what) => lab.host.pod(0).ip(what).replaceAll(' proto kernel', ''));
    const before = shown();
    for (let i = 0; i < 2; i++) {
      lab.ok('sbr', 'ADD', { keys: { prevResult } });
      lab.ok('sbr', 'DEL');
      assert.deepEqual(shown(), before);
    }
  },
});

driverDefect('D40', 'DEL', {
  reference: (lab) => {
    lab.fails('sbr', 'DEL', { netns: '' });
    const netns = join(lab.host.dataDir, '..', 'gone9');
    lab.fails('sbr', 'DEL', { netns });
    assert.equal(existsSync(netns), true);
  },
  ours: (lab) => {
    lab.ok('sbr', 'DEL', { netns: '' });
    const netns = join(lab.host.dataDir, '..', 'gone9');
    lab.ok('sbr', 'DEL', { netns });
    assert.equal(existsSync(netns), false);
  },
});

driverDefect('D41', 'the IPv6 routes in the table of an IPv4 address', {
  reference: (lab) => assert.match(ipv6OfIpv4(lab), /^fd00:5::\/64 /m),
  ours: (lab) => assert.equal(ipv6OfIpv4(lab), ''),
});

driverDefect('D42', 'an IPv6 default route by two interfaces', {
  needs: 'vrf',
  reference: (lab) => assert.equal(defaultInVrf(lab), false),
  ours: (lab) => assert.equal(defaultInVrf(lab), true),
});

driverDefect('D50', 'macvlan', {
  reference: (lab) => assert.deepEqual(dnsOfIpam(lab), {}),
  ours: (lab) => assert.deepEqual(dnsOfIpam(lab), { nameservers: ['10.5.0.53'] }),
});

driverDefect('D6', 'macvlan', {
  reference: (lab) => {
    const message = lab.fails('macvlan', 'ADD', { keys: { ...UP0, ipam: lanIpam(lab) }, args: `MAC=${MAC}` });
    assert.match(message, /unknown args/);
  },
  ours: (lab) => {
    lab.ok('macvlan', 'ADD', { keys: { ...UP0, ipam: lanIpam(lab) }, args: `MAC=${MAC}` });
    assert.match(lab.host.pod(0).ip('link', 'show', 'eth0'), new RegExp(MAC));
  },
});

driverDefect('D2', 'macvlan', {
  reference: (lab) => {
    const keys = { ...UP0, ipam: lanIpam(lab) };
    lab.ok('macvlan', 'ADD', { keys });
    assert.match(lab.fails('macvlan', 'DEL', { keys, netns: plainFile(lab) }), /unknown FS magic/);
  },
  ours: (lab) => {
    const keys = { ...UP0, ipam: lanIpam(lab, { rangeEnd: '10.5.0.50' }) };
    lab.ok('macvlan', 'ADD', { keys });
    lab.ok('macvlan', 'DEL', { keys, netns: plainFile(lab) });
    lab.ok('macvlan', 'ADD', { keys, pod: 1 });
  },
});

driverDefect('D51', 'ADD', {
  needs: 'vlan',
  reference: (lab) => {
    lab.ok('vlan', 'ADD', { keys: { ...UP0, ipam: FIXED } });
    assert.match(lab.host.pod(0).ip('-d', 'link', 'show', 'eth0'), /vlan protocol 802\.1Q id 0 /);
  },
  ours: (lab) => {
    for (const vlanId of [undefined, 0])
      assert.match(lab.fails('vlan', 'ADD', { keys: { ...UP0, vlanId, ipam: FIXED } }), /\.vlanId/);
  },
});

function failingMacvlans(lab: DriverLab): object[] {
  return [
    { ...UP0, ipam: lanIpam(lab, { rangeEnd: '10.5.0.50', gateway: '10.5.0.50' }) },
    { ...UP0, ipam: BAD_ROUTE },
  ];
}

/** The addresses that host-local has leased. */
function leaseFiles({ host }: DriverLab): string[] {
  return readdirSync(join(host.dataDir, 'lan')).filter((name) => /^\d+\./.test(name));
}

function dress({ host: { ns } }: DriverLab): void {
  ns.ip('addr', 'add', '10.5.0.9/24', 'brd', '+', 'dev', 'up0');
  ns.ip('route', 'add', '10.77.0.0/16', 'via', LAN4);
}

/** What CHECK ends with once the host's route to the container is gone, and once masquerading is. */
function checksOfPtp(lab: DriverLab): (number | null)[] {
  const keys = { ipMasq: true, ipam: PTP };
  const { ns } = lab.host;
  return [
    () => ns.ip('route', 'flush', '10.8.0.2/32'),
    () => ns.run('sh', '-c', 'nft flush ruleset; iptables-legacy -t nat -F 2>/dev/null; true'),
  ].map((breakIt) => {
    const prevResult = lab.ok('ptp', 'ADD', { keys });
    assert.equal(lab.run('ptp', 'CHECK', { keys: { ...keys, prevResult } }).code, 0);
    breakIt();
    const { code } = lab.run('ptp', 'CHECK', { keys: { ...keys, prevResult } });
    lab.run('ptp', 'DEL', { keys });
    return code;
  });
}

function hasNoTap({ dir }: DriverLab): void {
  assert.equal(existsSync(join(dir, 'tap')), false, referenceDir);
}

function attachSbr(lab: DriverLab, ipam: object = SBR) {
  return lab.ok('macvlan', 'ADD', { keys: { ...UP0, ipam } });
}

/** Whether a neighbour that answered on its link-local address still does. */
async function reachesLinkLocal(lab: DriverLab): Promise<boolean> {
  const local = /inet6 (fe80\S+)\//.exec(lab.lan.ns.ip('addr', 'show', 'lan0'))?.[1] ?? assert.fail('no link-local');
  const answers = (): boolean => canPing(lab.host.pod(0), `${local}%eth0`);
  const prevResult = attachSbr(lab);
  await until(answers, 'the neighbour to answer');
  lab.ok('sbr', 'ADD', { keys: { prevResult } });
  return answers();
}

/** The IPv6 routes in the table of the IPv4 address. */
function ipv6OfIpv4(lab: DriverLab): string {
  lab.ok('sbr', 'ADD', { keys: { prevResult: attachSbr(lab) } });
  const pod = lab.host.pod(0);
  const [, table = ''] = /from 10\.5\.0\.77 lookup (\d+)/.exec(pod.ip('rule')) ?? [];
  // Fails where no route was ever in the table.
  return pod.run('sh', '-c', `ip -6 route show table ${table} 2>/dev/null; true`);
}

function defaultInVrf(lab: DriverLab): boolean {
  const pod = lab.host.pod(0);
  const ipam = { ...SBR, routes: [{ dst: '::/0' }] };
  const prevResult = lab.ok('macvlan', 'ADD', { keys: { ...UP0, ipam } });
  pod.ip('link', 'add', 'eth9', 'up', 'type', 'veth', 'peer', 'name', 'eth8');
  pod.ip('addr', 'add', 'fd00:9::2/64', 'dev', 'eth9', 'nodad');
  pod.ip('-6', 'route', 'append', 'default', 'via', 'fd00:9::1', 'dev', 'eth9');
  lab.ok('vrf', 'ADD', { keys: { prevResult, vrfname: 'red' } });
  return /default/.test(pod.ip('-6', 'route', 'show', 'vrf', 'red'));
}

function dnsOfIpam(lab: DriverLab): object {
  const file = join(lab.host.dataDir, '..', 'resolv.conf');
  writeFileSync(file, 'nameserver 10.5.0.53\n');
  return lab.ok('macvlan', 'ADD', { keys: { ...UP0, ipam: lanIpam(lab, { resolvConf: file }) } }).dns ?? {};
}

function plainFile({ host }: DriverLab): string {
  const file = join(host.dataDir, '..', 'plain');
  writeFileSync(file, '');
  return file;
}
