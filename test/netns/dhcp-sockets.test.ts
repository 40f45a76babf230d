import { strict as assert } from 'node:assert';
import { type News, Session } from '../../cmd/cnm-shim/dhcp/session.ts';
import { startClient } from '../../src/shared/dhcp/client.ts';
import { clock } from '../../src/shared/dhcp/kept.ts';
import { leaseOf } from '../../src/shared/dhcp/lease.ts';
import { ANY, encodeMessage, type Message, OPTION, TYPE, typeOf } from '../../src/shared/dhcp/message.ts';
import { clientIdOf, clientMessage } from '../../src/shared/dhcp/requests.ts';
import { type Interface, openBroadcasting, openProbing, openUnicasting } from '../../src/shared/dhcp/sockets.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { formatAddr, parseAddr } from '../../src/shared/model/addr.ts';
import { until } from '../support/daemon-site.ts';
import { type DhcpServer, dnsmasqMissing, startDhcpServer } from '../support/dhcp-server.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { runProgram } from '../support/spawn.ts';

const SERVER = '10.6.0.1';

describe('sockets of the DHCP client', () => {
  let lan: TestNetns;
  let pod: TestNetns;
  let server: DhcpServer;
  const host = openLinuxHost();

  before(async function () {
    skipIf(this, netnsMissing() ?? dnsmasqMissing());
    lan = makeNetns('lan');
    pod = makeNetns('pod');
    lan.ip('link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
    lan.ip('addr', 'add', `${SERVER}/24`, 'dev', 'lan0');
    lan.ip('link', 'set', 'lan0', 'up');
    pod.ip('link', 'set', 'eth0', 'up');
    server = await startDhcpServer(lan, { dev: 'lan0', range: ['10.6.0.100', '10.6.0.150'] });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    pod?.[Symbol.dispose]();
    lan?.[Symbol.dispose]();
    host[Symbol.dispose]();
  });

  it('lease, probe and release an address, whose interface has none before', async () => {
    using ns = host.open(pod.path);
    const link = host.observe(ns, { links: ['eth0'] }).links.get('eth0') ?? assert.fail('no eth0');
    const at: Interface = { ns, index: link.index, mac: link.mac };
    const clientId = clientIdOf('c1', 'lan', 'eth0');
    const identity = { mac: link.mac, clientId, broadcast: false, request: [1, 3], provide: new Map() };
    const replies: Message[] = [];
    const reply = async (type: number): Promise<Message> => {
      await until(() => replies.some((one) => typeOf(one) === type), `a reply of type ${type}`);
      return replies.find((one) => typeOf(one) === type) ?? assert.fail();
    };

    using broadcasting = openBroadcasting(at, (message) => void replies.push(message));
    const said = { xid: 0x01020304, secs: 0 };
    broadcasting.send(clientMessage('discover', identity, said), ANY);
    const { address, server: from } = leaseOf(await reply(TYPE.offer));
    broadcasting.send(clientMessage('request', identity, { ...said, address: address.addr, server: from }), ANY);
    const ack = await reply(TYPE.ack);
    assert.equal(formatAddr(leaseOf(ack).server), SERVER);
    const text = formatAddr(address.addr);
    assert.match(server.leases().join('\n'), new RegExp(`${link.mac} ${text} .* 00:63:31:2f`));

    const rivals: string[] = [];
    using free = openProbing(at, address.addr, (mac) => void rivals.push(mac));
    using taken = openProbing(at, parseAddr(SERVER) ?? ANY, (mac) => void rivals.push(mac));
    free.send();
    taken.send();
    await until(() => rivals.length > 0, 'an answer of the server');
    assert.deepEqual(rivals, [lan.ip('-o', 'link', 'show', 'lan0').match(/ether (\S+)/)?.[1]]);

    pod.ip('addr', 'add', `${text}/24`, 'dev', 'eth0');
    replies.length = 0;
    using unicasting = openUnicasting(at, address.addr, from);
    unicasting.send(clientMessage('request', identity, { ...said, ciaddr: address.addr }));
    assert.equal((await reply(TYPE.ack)).options.has(OPTION.leaseTime), true);
    unicasting.send(clientMessage('release', identity, { ...said, ciaddr: address.addr, server: from }));
    await unicasting.sent(2000);
    await until(() => server.leases().length === 0, 'the server to have the address back');
  });

  it('tell why a reply to this interface cannot be read, and nothing of those to others', async () => {
    using ns = host.open(pod.path);
    const link = host.observe(ns, { links: ['eth0'] }).links.get('eth0') ?? assert.fail('no eth0');
    const why: string[] = [];
    const at: Interface = { ns, index: link.index, mac: link.mac };
    using _broadcasting = openBroadcasting(
      at,
      () => assert.fail('it was read'),
      (what) => void why.push(what),
    );
    garble(['02:00:00:00:00:99', link.mac]);
    await until(() => why.length > 0, 'the malformed reply');
    assert.deepEqual(why, ['ends within option 6']);
  });

  it('a session tells of a flood of them once', async () => {
    using ns = host.open(pod.path);
    const link = host.observe(ns, { links: ['eth0'] }).links.get('eth0') ?? assert.fail('no eth0');
    const clientId = clientIdOf('c2', 'lan', 'eth0');
    const identity = { mac: link.mac, clientId, broadcast: false, request: [], provide: new Map() };
    const told: string[] = [];
    const open = () => ({ ns, index: link.index, mac: link.mac, [Symbol.dispose]: () => {} });
    const news = (one: News): void => void told.push(one.do === 'ignored' ? one.why : one.do);
    const parts = { identity, open, news, unsent: (error: Error) => assert.fail(error) };
    using session = new Session(parts, startClient({ identity, now: clock(), random: () => 0.5 }));
    server.silence(true);
    try {
      session.run();
      garble(Array.from({ length: 50 }, () => link.mac));
      await until(() => told.length > 0, 'a malformed reply');
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual(told, ['ends within option 6']);
    } finally {
      server.silence(false);
    }
  });

  /** Sends malformed replies to interfaces with these MACs. */
  function garble(macs: readonly string[]): void {
    const replies = macs.map((mac) => {
      const identity = { mac, clientId: new Uint8Array(1), broadcast: false, request: [], provide: new Map() };
      const bytes = encodeMessage(clientMessage('discover', identity, { xid: 1, secs: 0 }));
      bytes[0] = 2;
      // Option 6 of 16 bytes, of which 2 are there.
      return Buffer.from([...bytes.subarray(0, 240), 6, 16, 1, 2]).toString('hex');
    });
    const script = `const socket = require('node:dgram').createSocket('udp4');
      socket.bind(0, '${SERVER}', () => {
        socket.setBroadcast(true);
        for (const hex of process.argv.slice(1)) socket.send(Buffer.from(hex, 'hex'), 68, '10.6.0.255');
        setTimeout(() => socket.close(), 100);
      });`;
    runProgram('ip', ['netns', 'exec', lan.name, process.execPath, '-e', script, ...replies]);
  }

  it('wait until the server of a release has answered who it is', async () => {
    using ns = host.open(pod.path);
    const index = host.observe(ns, { links: ['eth0'] }).links.get('eth0')?.index ?? 0;
    const [own, absent] = [parseAddr('10.6.0.99'), parseAddr('10.6.0.250')];
    assert.ok(own && absent);
    pod.ip('addr', 'add', '10.6.0.99/24', 'dev', 'eth0');
    using unicasting = openUnicasting({ ns, index }, own, absent);
    const identity = {
      mac: '02:00:00:00:00:01',
      clientId: Uint8Array.of(0),
      broadcast: false,
      request: [],
      provide: new Map(),
    };
    unicasting.send(clientMessage('release', identity, { xid: 1, secs: 0, ciaddr: own, server: absent }));
    const since = performance.now();
    await unicasting.sent(200);
    assert.ok(performance.now() - since >= 200, 'nobody has that address');
  });
});
