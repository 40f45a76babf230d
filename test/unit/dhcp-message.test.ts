import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeDomain, decodeDomainSearch } from '../../src/shared/dhcp/domain-search.ts';
import { encodeBroadcast, encodeProbe, payloadOf, rivalIn } from '../../src/shared/dhcp/frame.ts';
import { leaseOf } from '../../src/shared/dhcp/lease.ts';
import {
  ANY,
  decodeMessage,
  encodeMessage,
  type Message,
  OPTION,
  TYPE,
  typeOf,
} from '../../src/shared/dhcp/message.ts';
import { clientIdOf, clientMessage } from '../../src/shared/dhcp/requests.ts';
import { formatAddr, parseAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { formatRoute } from '../../src/shared/model/route.ts';
import { refusedWith } from '../support/core.ts';

const FILE = join(import.meta.dirname, '../fixtures/dhcp/frames.json');
/** Frames between the reference's client and dnsmasq. */
const FRAMES: Readonly<Record<string, string>> = JSON.parse(readFileSync(FILE, 'utf8'));

function frame(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(FRAMES[name] ?? '', 'hex'));
}

function received(name: string): Message {
  return decodeMessage(payloadOf(frame(name)) ?? new Uint8Array(0));
}

/** A message to the server, whose port `payloadOf` does not take. */
function sent(name: string): Message {
  return decodeMessage(frame(name).subarray(42));
}

function withOptions(
  message: Message,
  options: readonly (readonly [number, readonly number[] | undefined])[],
): Message {
  const all = new Map(message.options);
  for (const [code, value] of options) {
    if (value === undefined) all.delete(code);
    else all.set(code, Uint8Array.from(value));
  }
  return { ...message, options: all };
}

describe('DHCP messages', () => {
  it('decodes an ACK of dnsmasq', () => {
    const ack = received('ack');
    assert.equal(typeOf(ack), TYPE.ack);
    assert.deepEqual(
      [ack.op, ack.xid, formatAddr(ack.yiaddr), formatAddr(ack.siaddr), ack.chaddr, ack.broadcast],
      ['reply', 0x69a811c9, '10.5.0.126', '10.5.0.1', '92:c0:3d:97:0d:eb', false],
    );
  });

  it('sends the DISCOVER of the reference: same client id, parameters and provided options', () => {
    const theirs = sent('discover');
    const provide = new Map([
      [OPTION.hostName, Buffer.from('myhost')],
      [OPTION.vendorClass, Buffer.from('pod1')],
    ]);
    const request = [...(theirs.options.get(OPTION.parameters) ?? [])];
    const clientId = clientIdOf('d1', 'dh', 'eth0');
    const identity = { mac: theirs.chaddr, clientId, broadcast: false, request, provide };
    const ours = clientMessage('discover', identity, { xid: theirs.xid, secs: 0 });
    const sorted = ({ options }: Message): unknown => [...options].sort(([a], [b]) => a - b);
    assert.deepEqual(sorted(decodeMessage(encodeMessage(ours))), sorted(theirs));
    assert.deepEqual({ ...ours, options: 0 }, { ...theirs, options: 0 });
  });

  it('cuts a client id to 254 bytes', () => {
    assert.equal(clientIdOf('c'.repeat(300), 'n', 'eth0').length, 254);
  });

  it('asks for broadcast replies only while the client has no address', () => {
    const identity = {
      mac: '02:00:00:00:00:01',
      clientId: Uint8Array.of(0),
      broadcast: true,
      request: [],
      provide: new Map(),
    };
    const ciaddr = parseAddr('10.0.0.5') ?? ANY;
    assert.equal(clientMessage('discover', identity, { xid: 1, secs: 0 }).broadcast, true);
    assert.equal(clientMessage('request', identity, { xid: 1, secs: 0, ciaddr }).broadcast, false);
    assert.equal(clientMessage('release', identity, { xid: 1, secs: 0, ciaddr }).broadcast, false);
  });

  it('joins an option that is split, also over the fields file and sname', () => {
    const bytes = encodeMessage(withOptions(received('ack'), [[OPTION.overload, [3]]]));
    bytes.set([OPTION.classlessRoutes, 2, 24, 10, OPTION.end], 108);
    bytes.set([OPTION.classlessRoutes, 3, 1, 2, 3, OPTION.pad, OPTION.end], 44);
    assert.deepEqual([...(decodeMessage(bytes).options.get(OPTION.classlessRoutes) ?? [])], [24, 10, 1, 2, 3]);
  });

  it('splits an option of 600 bytes, and joins it again', () => {
    const value = Array.from({ length: 600 }, (_, i) => i & 0xff);
    const bytes = encodeMessage(withOptions(received('ack'), [[200, value]]));
    assert.deepEqual([...(decodeMessage(bytes).options.get(200) ?? [])], value);
  });

  for (const [what, change] of [
    ['is cut', (bytes: Uint8Array) => bytes.subarray(0, 200)],
    ['has another cookie', (bytes: Uint8Array) => Uint8Array.from(bytes).fill(0, 236, 240)],
    ['ends within an option', (bytes: Uint8Array) => Uint8Array.of(...bytes.subarray(0, 240), 53, 4, 1)],
    ['is of token ring', (bytes: Uint8Array) => Uint8Array.from(bytes).fill(6, 1, 2)],
  ] as const) {
    it(`refuses a message that ${what}`, () => {
      const bytes = payloadOf(frame('ack')) ?? new Uint8Array(0);
      assert.throws(() => decodeMessage(change(bytes)), refusedWith('io', /DHCP message/));
    });
  }
});

describe('leaseOf', () => {
  it('reads address, gateway, DNS and times (V21: 6, 15 and 119 are in the result)', () => {
    const { address, gateway, routes, dns, server, ...times } = leaseOf(received('ack'), 50);
    assert.equal(formatPrefix(address), '10.5.0.126/24');
    assert.equal(gateway && formatAddr(gateway), '10.5.0.1');
    assert.deepEqual(routes.map(formatRoute), [{ dst: '0.0.0.0/0', gateway: '10.5.0.1', priority: 50 }]);
    assert.deepEqual(dns, {
      nameservers: ['10.5.0.53', '10.5.0.54'],
      domain: 'lab.example',
      search: ['a.example', 'b.example'],
    });
    assert.equal(formatAddr(server), '10.5.0.1');
    assert.deepEqual(times, { seconds: 120, renewAfter: 60, rebindAfter: 105 });
  });

  it('takes the routes of option 121 alone', () => {
    const { routes, gateway } = leaseOf(received('ack121'));
    assert.deepEqual(routes.map(formatRoute), [
      { dst: '10.77.0.0/16', gateway: '10.5.0.2' },
      { dst: '0.0.0.0/0', gateway: '10.5.0.1' },
    ]);
    assert.equal(gateway && formatAddr(gateway), '10.5.0.1');
  });

  const change = (...options: [number, readonly number[] | undefined][]) =>
    leaseOf(withOptions(received('ack'), options));

  it('has a route of option 121 without router on the link, and clears host bits', () => {
    const { routes, gateway } = change(
      [OPTION.routers, undefined],
      [OPTION.classlessRoutes, [24, 10, 9, 8, 0, 0, 0, 0, 0, 10, 5, 0, 9, 12, 172, 31, 10, 5, 0, 7]],
    );
    assert.deepEqual(routes.map(formatRoute), [
      { dst: '10.9.8.0/24', scope: 253 },
      { dst: '0.0.0.0/0', gateway: '10.5.0.9' },
      { dst: '172.16.0.0/12', gateway: '10.5.0.7' },
    ]);
    assert.equal(gateway && formatAddr(gateway), '10.5.0.9');
  });

  it('leaves out a second route to a destination, and one to its own subnet', () => {
    const bytes = [24, 10, 5, 0, 0, 0, 0, 0, 0, 10, 5, 0, 9, 0, 10, 5, 0, 8, 16, 10, 77, 10, 5, 0, 2];
    assert.deepEqual(change([OPTION.classlessRoutes, bytes]).routes.map(formatRoute), [
      { dst: '0.0.0.0/0', gateway: '10.5.0.9' },
      { dst: '10.77.0.0/16', gateway: '10.5.0.2' },
    ]);
  });

  it('has no gateway where the server gives 0.0.0.0', () => {
    const { routes, gateway } = change([OPTION.routers, [0, 0, 0, 0]]);
    assert.deepEqual([routes, gateway], [[], undefined]);
  });

  it('adds the static routes of option 33 before the default route', () => {
    const { routes } = change([OPTION.staticRoutes, [192, 168, 7, 1, 10, 5, 0, 3, 172, 16, 0, 0, 10, 5, 0, 4]]);
    assert.deepEqual(routes.map(formatRoute), [
      { dst: '192.168.7.0/24', gateway: '10.5.0.3' },
      { dst: '172.16.0.0/16', gateway: '10.5.0.4' },
      { dst: '0.0.0.0/0', gateway: '10.5.0.1' },
    ]);
  });

  it('reaches a gateway outside the subnet on the link', () => {
    const { routes } = change([OPTION.subnetMask, [255, 255, 255, 255]]);
    assert.deepEqual(routes.map(formatRoute), [
      { dst: '10.5.0.1/32', scope: 253 },
      { dst: '0.0.0.0/0', gateway: '10.5.0.1' },
    ]);
  });

  it('puts every gateway outside the subnet on the link, before the routes that need it', () => {
    const outside = { dst: '172.16.0.1/32', scope: 253 };
    const far = [16, 10, 77, 172, 16, 0, 1, 0, 10, 5, 0, 1];
    assert.deepEqual(change([OPTION.classlessRoutes, far]).routes.map(formatRoute), [
      outside,
      { dst: '10.77.0.0/16', gateway: '172.16.0.1' },
      { dst: '0.0.0.0/0', gateway: '10.5.0.1' },
    ]);
    const late = [0, 172, 16, 0, 1, 32, 172, 16, 0, 1, 0, 0, 0, 0];
    const circle = [0, 172, 16, 0, 1, 32, 172, 16, 0, 1, 172, 16, 0, 1];
    for (const bytes of [late, circle])
      assert.deepEqual(change([OPTION.classlessRoutes, bytes]).routes.map(formatRoute), [
        outside,
        { dst: '0.0.0.0/0', gateway: '172.16.0.1' },
      ]);
    const fixed = change([OPTION.staticRoutes, [192, 168, 7, 0, 172, 16, 0, 1]], [OPTION.routers, undefined]);
    assert.deepEqual(fixed.routes.map(formatRoute), [outside, { dst: '192.168.7.0/24', gateway: '172.16.0.1' }]);
  });

  it('leaves out routers and name servers that no host can be', () => {
    const odd = [127, 0, 0, 1, 255, 255, 255, 255, 224, 0, 0, 1, 10, 5, 0, 255, 10, 5, 0, 0];
    const all = change(
      [OPTION.routers, [...odd, 10, 5, 0, 9]],
      [OPTION.staticRoutes, [192, 168, 7, 0, 127, 0, 0, 1]],
      [OPTION.nameServers, [...odd.slice(0, 12), 10, 5, 0, 53, 10, 5, 0, 53]],
    );
    assert.deepEqual(all.routes.map(formatRoute), [{ dst: '0.0.0.0/0', gateway: '10.5.0.9' }]);
    assert.deepEqual(all.dns.nameservers, ['10.5.0.53']);
    const classless = change([OPTION.classlessRoutes, [8, 11, 10, 5, 0, 255, 8, 12, 10, 5, 0, 2]]);
    assert.deepEqual(classless.routes.map(formatRoute), [{ dst: '12.0.0.0/8', gateway: '10.5.0.2' }]);
  });

  it('takes no more routes, name servers and names than a configuration may have', () => {
    const numbers = Array.from({ length: 3000 }, (_, i) => [i >> 8, i & 0xff] as const);
    const { routes, dns } = change(
      [OPTION.classlessRoutes, numbers.flatMap(([a, b]) => [24, 11, a, b, 10, 5, 0, 1])],
      [OPTION.nameServers, numbers.flatMap(([a, b]) => [11, a, b, 1])],
    );
    assert.deepEqual([routes.length, dns.nameservers?.length], [512, 256]);
    const names = [...'abcdefghijklmnopqrstuvwxyz0123456789'].flatMap((letter) => [1, letter.charCodeAt(0), 0]);
    assert.equal(decodeDomainSearch(Uint8Array.from(names)).length, 32);
    const pointers = numbers.flatMap(() => [0xc0, 0]);
    assert.deepEqual(decodeDomainSearch(Uint8Array.of(1, 97, 0, ...pointers)), ['a']);
  });

  it('reads the MTU, and a lease without end', () => {
    const { mtu, seconds, renewAfter } = change([OPTION.mtu, [0x05, 0x78]], [OPTION.leaseTime, [255, 255, 255, 255]]);
    assert.deepEqual([mtu, seconds, renewAfter], [1400, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('ignores times out of order', () => {
    const { renewAfter, rebindAfter } = change(
      [OPTION.renewalTime, [0, 0, 0, 110]],
      [OPTION.rebindingTime, [0, 0, 0, 200]],
    );
    assert.deepEqual([renewAfter, rebindAfter], [60, 105]);
  });

  for (const [what, text, options] of [
    ['without server identifier', /option 54/, [[OPTION.serverId, undefined]]],
    ['without lease time', /option 51/, [[OPTION.leaseTime, undefined]]],
    ['whose server identifier is no host', /option 54/, [[OPTION.serverId, [0, 0, 0, 0]]]],
    ['whose server identifier is broadcast', /option 54/, [[OPTION.serverId, [255, 255, 255, 255]]]],
    ['whose mask is empty', /subnet mask/, [[OPTION.subnetMask, [0, 0, 0, 0]]]],
    ['whose mask is cut', /subnet mask/, [[OPTION.subnetMask, [255, 255, 255]]]],
    ['whose mask has holes', /subnet mask/, [[OPTION.subnetMask, [255, 0, 255, 0]]]],
    ['whose option 121 is cut', /option 121/, [[OPTION.classlessRoutes, [24, 10, 9]]]],
    [
      'whose option 121 has a prefix of 33 bits',
      /option 121/,
      [[OPTION.classlessRoutes, [33, 1, 2, 3, 4, 5, 1, 2, 3, 4]]],
    ],
  ] as const)
    it(`refuses a message ${what}`, () => {
      assert.throws(() => leaseOf(withOptions(received('ack'), options)), refusedWith('io', text));
    });

  it('refuses an address that no interface can have', () => {
    for (const [text, rule] of [
      ['224.0.0.5', /multicast/],
      ['10.5.0.0', /first or last/],
      ['10.5.0.255', /first or last/],
    ] as const) {
      const yiaddr = parseAddr(text) ?? ANY;
      assert.throws(() => leaseOf({ ...received('ack'), yiaddr }), refusedWith('io', rule));
    }
    for (const last of [254, 255])
      assert.equal(change([OPTION.subnetMask, [255, 255, 255, last]]).address.length, last === 255 ? 32 : 31);
  });
});

describe('domain names of DHCP', () => {
  it('refuses a pointer that leads nowhere or in a circle', () => {
    for (const bytes of [
      [0xc0, 0],
      [1, 97, 0xc0, 2],
      [1, 97, 0xc0, 9],
      [5, 97],
    ])
      assert.throws(() => decodeDomainSearch(Uint8Array.from(bytes)), refusedWith('io', /option 119/));
  });

  it('leaves out what would be another line of resolv.conf', () => {
    assert.equal(decodeDomain(Buffer.from('a\nnameserver')), 'a');
    assert.equal(decodeDomain(Buffer.from('a;b')), undefined);
    assert.equal(decodeDomain(Buffer.from('lab.example\0')), 'lab.example');
    assert.deepEqual(decodeDomainSearch(Uint8Array.of(3, 97, 10, 98, 0, 1, 99, 0)), ['c']);
  });
});

describe('frames of DHCP', () => {
  const addr = parseAddr('10.5.0.126') ?? ANY;

  it('broadcasts with checksums that the kernel accepts', () => {
    const payload = frame('discover').subarray(42);
    const ours = encodeBroadcast('92:c0:3d:97:0d:eb', ANY, payload);
    const theirs = frame('discover');
    // Ethernet, the addresses, the ports, the checksum of UDP and the message are the reference's.
    assert.deepEqual(ours.subarray(0, 14), theirs.subarray(0, 14));
    assert.deepEqual(ours.subarray(26), theirs.subarray(26));
    let sum = 0;
    for (let i = 14; i < 34; i += 2) sum += ((ours[i] ?? 0) << 8) | (ours[i + 1] ?? 0);
    assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
  });

  it('takes only whole datagrams to the client', () => {
    const ack = frame('ack');
    assert.equal(payloadOf(ack)?.length, 326);
    assert.equal(payloadOf(frame('discover')), undefined, 'to the server');
    assert.equal(payloadOf(frame('arp')), undefined, 'no IP');
    assert.equal(payloadOf(ack.subarray(0, 200)), undefined, 'cut');
    assert.equal(payloadOf(Uint8Array.from(ack).fill(0x20, 20, 21)), undefined, 'a fragment');
    assert.equal(payloadOf(Uint8Array.from(ack).fill(0x46, 14, 15)), undefined, 'a wrong checksum');
  });

  it('tells who has an address, or is about to take it', () => {
    const [own, other] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
    assert.equal(rivalIn(encodeProbe(other, addr), own, addr), other);
    assert.equal(rivalIn(encodeProbe(own, addr), own, addr), undefined);
    assert.equal(rivalIn(frame('arp'), own, addr), undefined, 'the server that looks before it offers');
    const reply = Uint8Array.from(encodeProbe(other, parseAddr('10.5.0.9') ?? ANY));
    reply.set([0, 2], 20);
    reply.set([10, 5, 0, 126], 28);
    assert.equal(rivalIn(reply, own, addr), other);
  });
});
