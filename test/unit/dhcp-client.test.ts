import { strict as assert } from 'node:assert';
import { expiryOf, releaseOf, resumeClient, startClient, step } from '../../src/shared/dhcp/client.ts';
import { leaseOf } from '../../src/shared/dhcp/lease.ts';
import { ANY, type Message, OPTION, TYPE, typeOf } from '../../src/shared/dhcp/message.ts';
import { clientIdOf, type Identity } from '../../src/shared/dhcp/requests.ts';
import type { Action, Client, Event } from '../../src/shared/dhcp/states.ts';
import { type Addr, addrToBytes, formatAddr, parseAddr } from '../../src/shared/model/addr.ts';

const MAC = '02:00:00:00:00:01';
const IDENTITY: Identity = {
  ...{ mac: MAC, clientId: clientIdOf('c', 'n', 'eth0'), broadcast: false, request: [1, 3], provide: new Map() },
};
const NAMES = Object.fromEntries(Object.entries(TYPE).map(([name, code]) => [code, name]));

function addr(text: string): Addr {
  return parseAddr(text) ?? assert.fail(text);
}

interface Given {
  readonly server?: string;
  readonly seconds?: number;
  readonly xid?: number;
  readonly without?: number;
  /** Further options. */
  readonly more?: readonly (readonly [number, Uint8Array])[];
}

/** A client on a clock that only moves when the test says so. */
class Lab {
  now = 1_000_000;
  random = 0.5;
  client: Client;
  readonly log: string[] = [];
  last: Action | undefined;

  constructor(client?: (lab: Lab) => Client) {
    this.client = client?.(this) ?? startClient(this.at());
  }

  at() {
    return { identity: IDENTITY, now: this.now, random: () => this.random };
  }

  event(event: Event): void {
    const { client, actions } = step(this.client, event, this.at());
    this.client = client;
    for (const action of actions) {
      this.last = action;
      this.log.push(shown(action));
    }
  }

  /** Goes to the next time at which the client wants to be woken. */
  wake(): number {
    const waited = this.client.wakeAt - this.now;
    this.now = this.client.wakeAt;
    this.event({ on: 'timer' });
    return waited;
  }

  reply(
    type: keyof typeof TYPE,
    address: string,
    { server = '10.0.0.1', seconds = 120, xid, without = 0, more = [] }: Given = {},
  ) {
    this.event({
      on: 'message',
      message: reply(type, address, { server, seconds, xid: xid ?? this.client.xid, without, more }),
    });
  }

  /** From the start to a bound lease. */
  lease(address = '10.0.0.7', given: Given = {}): void {
    this.wake();
    this.reply('offer', address, given);
    this.reply('ack', address, given);
    this.wake();
    this.wake();
  }

  took(): string[] {
    return this.log.splice(0);
  }
}

function reply(type: keyof typeof TYPE, address: string, given: Required<Given>): Message {
  const options = new Map<number, Uint8Array>([
    [OPTION.messageType, Uint8Array.of(TYPE[type])],
    [OPTION.serverId, addrToBytes(addr(given.server))],
    [OPTION.leaseTime, new Uint8Array(Buffer.from(given.seconds.toString(16).padStart(8, '0'), 'hex'))],
    [OPTION.subnetMask, Uint8Array.of(255, 255, 255, 0)],
    ...given.more,
  ]);
  options.delete(given.without);
  const none = { ciaddr: ANY, siaddr: ANY, giaddr: ANY };
  return {
    op: 'reply',
    xid: given.xid,
    secs: 0,
    broadcast: false,
    ...none,
    yiaddr: addr(address),
    chaddr: MAC,
    options,
  };
}

function shown(action: Action): string {
  switch (action.do) {
    case 'broadcast':
    case 'unicast': {
      const { options, ciaddr } = action.message;
      const parts = [action.do, NAMES[typeOf(action.message) ?? 0]];
      const text = (code: number): string => (options.get(code) ?? []).join('.');
      if (ciaddr.value !== 0n) parts.push(`from ${formatAddr(ciaddr)}`);
      if (options.has(OPTION.requestedAddress)) parts.push(`of ${text(OPTION.requestedAddress)}`);
      if (options.has(OPTION.serverId)) parts.push(`server ${text(OPTION.serverId)}`);
      if (action.do === 'unicast') parts.push(`to ${formatAddr(action.to)}`);
      return parts.join(' ');
    }
    case 'probe':
      return `probe ${formatAddr(action.address)}`;
    case 'declined':
      return `declined ${formatAddr(action.address)} ${action.mac}`;
    case 'ignored':
      return `ignored: ${action.why}`;
    case 'lost':
      return `lost ${formatAddr(action.held.lease.address.addr)}: ${action.why}`;
    default:
      return `${action.do} ${formatAddr(action.held.lease.address.addr)}`;
  }
}

const ASKED = [
  'broadcast discover',
  'broadcast request of 10.0.0.7 server 10.0.0.1',
  'probe 10.0.0.7',
  'probe 10.0.0.7',
];

describe('the DHCP client', () => {
  it('discovers, requests, probes and has the address', () => {
    const lab = new Lab();
    lab.lease();
    assert.deepEqual(lab.took(), [...ASKED, 'bound 10.0.0.7']);
    assert.equal(lab.client.phase, 'bound');
    assert.equal(lab.client.wakeAt - (lab.client.held?.since ?? 0), 60_000);
  });

  it('repeats a DISCOVER that nobody answers after 0.5, then 4, 8, 16, 32, 64, 64 seconds (RFC 2131 §4.1)', () => {
    const lab = new Lab();
    const waits = Array.from({ length: 9 }, () => lab.wake());
    assert.deepEqual(waits, [0, 500, 4000, 8000, 16_000, 32_000, 64_000, 64_000, 64_000]);
    assert.equal(new Set(lab.took()).size, 1);
  });

  it('varies each wait by up to a second', () => {
    for (const random of [0, 0.999999]) {
      const at = { identity: IDENTITY, now: 0, random: () => random };
      const { client } = step(startClient(at), { on: 'timer' }, at);
      const second = step(client, { on: 'timer' }, { ...at, now: client.wakeAt });
      const wait = second.client.wakeAt - client.wakeAt;
      assert.ok(Math.abs(wait - (random === 0 ? 3000 : 5000)) < 1);
    }
  });

  it('does nothing before its time, and ignores what is not for it', () => {
    const lab = new Lab();
    lab.wake();
    lab.took();
    lab.event({ on: 'timer' });
    lab.reply('offer', '10.0.0.7', { xid: 1 });
    lab.reply('ack', '10.0.0.7');
    lab.reply('nak', '10.0.0.7');
    lab.event({ on: 'conflict', mac: MAC });
    assert.deepEqual(lab.took(), []);
    assert.equal(lab.client.phase, 'selecting');
  });

  it('tells why an offer cannot be used, and takes the next', () => {
    const lab = new Lab();
    lab.wake();
    lab.reply('offer', '10.0.0.7', { without: OPTION.serverId });
    lab.reply('offer', '127.0.0.7');
    lab.reply('offer', '10.0.0.8', { server: '10.0.0.2' });
    assert.deepEqual(lab.took().slice(1), [
      'ignored: lacks the server identifier (option 54)',
      'ignored: gives the address 127.0.0.7/24: it is loopback (127.0.0.0/8)',
      'broadcast request of 10.0.0.8 server 10.0.0.2',
    ]);
  });

  it('asks all servers again after three requests without answer', () => {
    const lab = new Lab();
    lab.wake();
    lab.reply('offer', '10.0.0.7');
    const { xid } = lab.client;
    lab.wake();
    lab.wake();
    lab.wake();
    const requests = Array(3).fill('broadcast request of 10.0.0.7 server 10.0.0.1');
    assert.deepEqual(lab.took(), ['broadcast discover', ...requests, 'broadcast discover']);
    assert.equal(lab.client.phase, 'selecting');
    assert.equal(lab.client.xid, xid, 'the test has one random number');
  });

  it('begins again after a NAK, later each time', () => {
    const lab = new Lab();
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      waits.push(lab.wake());
      lab.reply('offer', '10.0.0.7');
      lab.reply('nak', '0.0.0.0');
    }
    assert.deepEqual(waits, [0, 200, 400]);
  });

  it('does not begin again at the moment at which others do that were refused with it', () => {
    const waits = [0, 0.25, 0.999999].map((random) => {
      const lab = new Lab();
      lab.random = random;
      lab.wake();
      lab.reply('offer', '10.0.0.7');
      lab.reply('nak', '0.0.0.0');
      return Math.round(lab.client.wakeAt - lab.now);
    });
    assert.deepEqual(waits, [100, 150, 300]);
  });

  it('declines an address that another interface has, and takes another', () => {
    const lab = new Lab();
    lab.wake();
    lab.reply('offer', '10.0.0.7');
    lab.reply('ack', '10.0.0.7');
    lab.took();
    lab.event({ on: 'conflict', mac: '02:00:00:00:00:99' });
    assert.deepEqual(lab.took(), [
      'broadcast decline of 10.0.0.7 server 10.0.0.1',
      'declined 10.0.0.7 02:00:00:00:00:99',
    ]);
    lab.lease('10.0.0.8');
    assert.equal(lab.took().at(-1), 'bound 10.0.0.8');
  });

  it('does not take an ACK of an address that it has not asked for', () => {
    const lab = new Lab();
    lab.wake();
    lab.reply('offer', '10.0.0.7');
    lab.took();
    lab.reply('ack', '10.0.0.9');
    assert.match(lab.took()[0] ?? '', /ignored: acknowledges 10.0.0.9/);
    assert.equal(lab.client.phase, 'requesting');
  });

  it('ignores what another server says to a REQUEST that was not for it', () => {
    const lab = new Lab();
    lab.wake();
    lab.reply('offer', '10.0.0.7');
    lab.took();
    lab.reply('nak', '0.0.0.0', { server: '10.0.0.99' });
    lab.reply('ack', '10.0.0.7', { server: '10.0.0.99' });
    assert.deepEqual(lab.took(), [
      'ignored: refuses as 10.0.0.99, which was not asked',
      'ignored: acknowledges as 10.0.0.99, which was not asked',
    ]);
    lab.reply('ack', '10.0.0.7');
    lab.wake();
    lab.wake();
    assert.equal(lab.took().at(-1), 'bound 10.0.0.7');
    lab.wake();
    lab.took();
    assert.equal(lab.client.phase, 'renewing');
    lab.reply('nak', '0.0.0.0', { server: '10.0.0.99' });
    assert.deepEqual(lab.took(), ['ignored: refuses as 10.0.0.99, which was not asked']);
    lab.reply('nak', '0.0.0.0', { without: OPTION.serverId });
    assert.deepEqual(lab.took(), ['lost 10.0.0.7: refused']);
  });

  it('extends a lease whatever else the ACK says', () => {
    const lab = new Lab();
    const more = [[OPTION.routers, Uint8Array.of(10, 0, 0, 1)]] as const;
    lab.lease('10.0.0.7', { more });
    const { held } = lab.client;
    lab.wake();
    lab.took();
    const wrong = [
      [OPTION.subnetMask, Uint8Array.of(255, 0, 255, 0)],
      [OPTION.classlessRoutes, Uint8Array.of(24, 10)],
      [OPTION.domainSearch, Uint8Array.of(63, 97)],
    ] as const;
    lab.reply('ack', '10.0.0.7', { seconds: 240, more: wrong });
    assert.deepEqual(lab.took(), ['renewed 10.0.0.7']);
    const { address, routes, seconds } = lab.client.held?.lease ?? assert.fail();
    assert.deepEqual({ address, routes }, { address: held?.lease.address, routes: held?.lease.routes });
    assert.equal(seconds, 240);
    // A restart reads it from the record.
    assert.equal(leaseOf(lab.client.held?.ack ?? assert.fail()).seconds, 240);
  });

  it('renews at T1 from its address, rebinds at T2, and loses the address at the end', () => {
    const lab = new Lab();
    lab.lease('10.0.0.7', { seconds: 1200 });
    lab.took();
    const since = lab.client.held?.since ?? 0;
    const times = Array.from({ length: 6 }, () => {
      lab.wake();
      return [(lab.now - since) / 1000, ...lab.took()];
    });
    assert.deepEqual(times, [
      [600, 'unicast request from 10.0.0.7 to 10.0.0.1'],
      [825, 'unicast request from 10.0.0.7 to 10.0.0.1'],
      [937.5, 'unicast request from 10.0.0.7 to 10.0.0.1'],
      [997.5, 'unicast request from 10.0.0.7 to 10.0.0.1'],
      [1050, 'broadcast request from 10.0.0.7'],
      [1125, 'broadcast request from 10.0.0.7'],
    ]);
    lab.wake();
    lab.wake();
    lab.wake();
    assert.deepEqual(lab.took().slice(-2), ['lost 10.0.0.7: expired', 'broadcast discover of 10.0.0.7']);
  });

  it('counts a renewed lease from the request', () => {
    const lab = new Lab();
    lab.lease();
    lab.wake();
    const asked = lab.now;
    lab.now += 500;
    lab.reply('ack', '10.0.0.7', { seconds: 600 });
    assert.equal(lab.took().at(-1), 'renewed 10.0.0.7');
    assert.equal(lab.client.wakeAt, asked + 300_000);
    assert.equal(lab.client.held && expiryOf(lab.client.held), asked + 600_000);
  });

  it('loses the address at a NAK, and does not ask for it again', () => {
    const lab = new Lab();
    lab.lease();
    lab.wake();
    lab.took();
    lab.reply('nak', '0.0.0.0');
    lab.wake();
    assert.deepEqual(lab.took(), ['lost 10.0.0.7: refused', 'broadcast discover']);
  });

  it('keeps a lease without end', () => {
    const lab = new Lab();
    lab.lease('10.0.0.7', { seconds: 0xffffffff });
    assert.equal(lab.client.wakeAt, Number.POSITIVE_INFINITY);
  });

  it('goes on after a restart where it was: T1 past, then the end past', () => {
    const ack = reply('ack', '10.0.0.7', { server: '10.0.0.1', seconds: 120, xid: 1, without: 0, more: [] });
    for (const [age, expected] of [
      [30, []],
      [70, ['unicast request from 10.0.0.7 to 10.0.0.1']],
      [110, ['broadcast request from 10.0.0.7']],
      [121, ['lost 10.0.0.7: expired']],
    ] as const) {
      const lab = new Lab((self) =>
        resumeClient({ ack, lease: leaseOf(ack), since: self.now - age * 1000 }, self.at()),
      );
      lab.event({ on: 'timer' });
      assert.deepEqual(lab.took(), expected);
    }
  });

  it('releases from the leased address to the server (V20)', () => {
    const lab = new Lab();
    lab.lease();
    const held = lab.client.held ?? assert.fail('no lease');
    const action = releaseOf(held, lab.at());
    assert.equal(shown(action), 'unicast release from 10.0.0.7 server 10.0.0.1 to 10.0.0.1');
    assert.equal(formatAddr(action.from), '10.0.0.7');
    assert.deepEqual(action.message.options.get(OPTION.clientId), IDENTITY.clientId);
  });
});
