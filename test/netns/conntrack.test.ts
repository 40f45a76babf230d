import { strict as assert } from 'node:assert';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { countConnections, deleteConnection, findConnections } from '../../src/shared/netlink/conntrack.ts';
import { NETLINK_NETFILTER } from '../../src/shared/netlink/constants.ts';
import { NFNL_SUBSYS_CTNETLINK } from '../../src/shared/netlink/netfilter.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

type Flush = Extract<Op, { op: 'conntrack.flush' }>;

const UDP = 17;
/** The host's own addresses, and one beyond it. */
const OWN = '10.9.0.1';
const SECOND = '10.9.0.2';
const BEYOND = '10.9.0.9';
const OWN6 = 'fd09::1';

/** How many times the kernel is asked for the connections that it tracks. */
function countDumps(work: () => void): number {
  const real = NetlinkSocket.prototype.dump;
  let count = 0;
  NetlinkSocket.prototype.dump = function (request) {
    if (request.type >> 8 === NFNL_SUBSYS_CTNETLINK) count += 1;
    return real.call(this, request);
  };
  try {
    work();
    return count;
  } finally {
    NetlinkSocket.prototype.dump = real;
  }
}

describe('deleting connections', () => {
  let host: LinuxHost;
  let netns: TestNetns;
  let ns: LinuxNamespace;
  let socket: NetlinkSocket;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
    netns = makeNetns('ct-');
    netns.ip('link', 'set', 'lo', 'up');
    netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    for (const link of ['v0', 'v1']) netns.ip('link', 'set', link, 'up');
    for (const address of [`${OWN}/24`, `${SECOND}/24`]) netns.ip('addr', 'add', address, 'dev', 'v0');
    netns.ip('addr', 'add', `${OWN6}/64`, 'dev', 'v0', 'nodad');
    netns.ip('neigh', 'add', BEYOND, 'lladdr', '02:00:00:00:00:09', 'dev', 'v0');
    ns = host.open(netns.path);
    socket = ns.within(() => new NetlinkSocket(NETLINK_NETFILTER));
  });
  after(() => {
    socket?.[Symbol.dispose]();
    ns?.[Symbol.dispose]();
    netns?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  const connections = () =>
    ([4, 6] as const)
      .flatMap((family) => [5353, 5354].map((port) => ({ family, port, protocol: UDP })))
      .flatMap((at) => findConnections(socket, at).map((one) => ({ one, text: `${one.destination} ${at.port}` })));
  const tracked = (): string[] =>
    connections()
      .map(({ text }) => text)
      .sort();
  const send = (...destinations: readonly (readonly [address: string, port: number])[]): void => {
    for (const [address, port] of destinations) netns.run('bash', '-c', `echo x > /dev/udp/${address}/${port}`);
  };
  const flush = (given: Partial<Flush>): void =>
    host.apply([{ op: 'conntrack.flush', ns: 'host', protocol: 'udp', family: 4, port: 5353, ...given }], { host: ns });

  it('deletes none when none is tracked', () => {
    assert.equal(countConnections(socket), 0);
    flush({});
    assert.equal(countConnections(socket), 0);
  });

  describe('when connections are tracked', () => {
    const ALL = [
      `${BEYOND} 5353`,
      `${OWN} 5353`,
      `${OWN} 5354`,
      `${OWN6} 5353`,
      `${SECOND} 5353`,
      '127.0.0.1 5353',
    ].sort();
    before(() => {
      netns.run('nft', 'add', 'table', 'inet', 'track');
      netns.run('nft', 'add', 'chain', 'inet', 'track', 'out', '{ type filter hook output priority 0; }');
      netns.run('nft', 'add', 'rule', 'inet', 'track', 'out', 'ct', 'state', 'new', 'accept');
    });
    beforeEach(() => {
      socket.exchange(connections().map(({ one }) => deleteConnection(one)));
      send([BEYOND, 5353], [OWN, 5353], [OWN, 5354], [OWN6, 5353], [SECOND, 5353], ['127.0.0.1', 5353]);
      assert.deepEqual(tracked(), ALL);
    });
    const cases: Readonly<Record<string, readonly [Partial<Flush>, readonly string[]]>> = {
      'those to the port of one address': [{ address: OWN }, [`${OWN} 5353`]],
      'those to the port of any address of the host, not those in transit': [
        {},
        [`${OWN} 5353`, `${SECOND} 5353`, '127.0.0.1 5353'],
      ],
      'those of IPv6': [{ family: 6 }, [`${OWN6} 5353`]],
      'none of another protocol': [{ protocol: 'tcp' }, []],
      'none of another port': [{ port: 5355 }, []],
      'none of another address': [{ address: '10.9.0.3' }, []],
    };
    for (const [name, [given, gone]] of Object.entries(cases)) {
      it(name, () => {
        flush(given);
        assert.deepEqual(
          tracked(),
          ALL.filter((one) => !gone.includes(one)),
        );
      });
    }

    it('deletes those to a hundred ports, of both families, with one dump of the table for each', () => {
      const op = { op: 'conntrack.flush', ns: 'host', protocol: 'udp' } as const;
      const ops = ([4, 6] as const).flatMap((family) =>
        Array.from({ length: 100 }, (_, i): Flush => ({ ...op, family, port: 5300 + i })),
      );
      const dumps = countDumps(() =>
        host.apply([...ops, { ...op, family: 4, port: 5354, address: SECOND }], { host: ns }),
      );
      assert.deepEqual(tracked(), [`${BEYOND} 5353`]);
      assert.equal(dumps, 2);
    });

    it('deletes those to two ports of one address, and no others', () => {
      const op = { op: 'conntrack.flush', ns: 'host', protocol: 'udp', family: 4, address: OWN } as const;
      host.apply(
        [5353, 5354].map((port): Flush => ({ ...op, port })),
        { host: ns },
      );
      assert.deepEqual(
        tracked(),
        ALL.filter((one) => !one.startsWith(`${OWN} `)),
      );
    });
  });
});
