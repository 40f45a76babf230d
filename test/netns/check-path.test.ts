import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { type DoctorSite, makeDoctorSite, WEB } from '../support/doctor-site.ts';
import { netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

interface PathReport {
  readonly ok: boolean;
  readonly source: string;
  readonly destination: string;
  readonly hops: readonly {
    readonly at: string;
    readonly what: string;
    readonly state: string;
    readonly cure?: string;
  }[];
  readonly probe?: {
    readonly result: string;
    readonly what: string;
    readonly droppedBy?: string;
    readonly counted: readonly string[];
  };
}

const PUBLISHED = { ...WEB, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } };

describe('check-path on a real host', function () {
  this.timeout(60_000);
  let site: DoctorSite;
  let servers: ChildProcess[];

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    servers = [];
    site = makeDoctorSite();
    site.attach('web1', PUBLISHED);
    site.attach('db1');
  });
  afterEach(() => {
    for (const server of servers) server.kill('SIGKILL');
    site?.[Symbol.dispose]();
  });

  async function path(...args: readonly string[]): Promise<PathReport> {
    const { code, stdout, stderr } = await site.verb('check-path', ...args, '-o', 'json');
    assert.equal(stderr, '', args.join(' '));
    const report: PathReport = JSON.parse(stdout);
    assert.equal(code, report.ok ? 0 : 1, stdout);
    return report;
  }

  const text = ({ hops }: PathReport): string =>
    hops.map(({ at, what, state }) => `${state} ${at}: ${what}`).join('\n');

  /** Listens on a TCP port in the namespace. */
  async function listen(ns: TestNetns, port: number): Promise<void> {
    const script = `require('net').createServer((c) => c.end()).listen(${port}, () => console.log('ready'))`;
    const child = spawn('nsenter', [`--net=${ns.path}`, process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    servers.push(child);
    await new Promise((ready) => child.stdout.once('data', ready));
  }

  it('follows packets between containers, to the outside, to published ports, and from elsewhere', async () => {
    await listen(site.pod('web1'), 80);
    const across = await path('web1', 'db1');
    assert.deepEqual([across.ok, across.probe?.result], [true, 'answered']);
    assert.match(
      text(across),
      /bridge isth0: to port veth\w+ of db1 eth0\n[\s\S]*passes container db1: receives it by eth0$/,
    );

    const out = await path('web1', '192.0.2.254');
    assert.deepEqual(
      [out.ok, out.probe?.result, out.source, out.destination],
      [true, 'answered', '10.88.0.2', '192.0.2.254'],
    );
    assert.match(text(out), /sends by eth0 from 10\.88\.0\.2 via 10\.88\.0\.1/);
    assert.match(text(out), /the host: our table inet isthmus, chain forward accepts it/);
    assert.match(
      text(out),
      /masquerades: the source becomes 192\.0\.2\.1\npasses interface up0: the packet leaves the host$/,
    );

    for (const from of ['db1', 'host']) {
      const published = await path(from, 'host', '--port', '8080');
      assert.deepEqual(
        [published.ok, published.probe?.result],
        [true, 'answered'],
        `${from} ${JSON.stringify(published)}`,
      );
      assert.match(text(published), /published port 8080\/tcp leads to 10\.88\.0\.2:80/);
    }
    const elsewhere = await path('192.0.2.254', 'host', '--port', '8080');
    assert.deepEqual([elsewhere.ok, elsewhere.probe?.result], [true, 'not-sent']);
    assert.match(
      text(elsewhere),
      /way there is up0[\s\S]*published port 8080\/tcp leads to 10\.88\.0\.2:80[\s\S]*container web1: receives it/,
    );

    const refused = await path('db1', 'web1', '-p', '81');
    assert.deepEqual([refused.ok, refused.probe?.result], [false, 'refused']);
    assert.match(refused.probe?.what ?? '', /arrived, and nothing listens on tcp 81 of 10\.88\.0\.2/);
    assert.deepEqual(
      site
        .sh('nft list tables')
        .split('\n')
        .filter((line) => line.includes('trace')),
      [],
    );
  });

  it('names the rule of another program that drops the packet, as it was and as it really happens', async () => {
    site.sh(
      'nft add table inet mine',
      "nft 'add chain inet mine f { type filter hook forward priority 0; }'",
      'nft add rule inet mine f ip daddr 192.0.2.0/24 counter drop',
    );
    const told = await path('web1', '192.0.2.254');
    assert.equal(told.ok, false);
    assert.match(text(told), /lost the host: table inet mine, chain f drops it: ip daddr 192\.0\.2\.0\/24 drop/);
    assert.equal(told.probe?.droppedBy, 'ip daddr 192.0.2.0/24 drop (table inet mine, chain f)');

    // Whether this rule matches only the packet tells.
    site.sh('nft flush chain inet mine f', 'nft add rule inet mine f meta length \\> 40 drop');
    const maybe = await path('web1', '192.0.2.254');
    assert.match(text(maybe), /maybe the host: table inet mine, chain f may drop it: meta length > 40 drop/);
    assert.match(maybe.probe?.droppedBy ?? '', /^meta length > 40 drop \(table inet mine/);
    assert.match(maybe.probe?.what ?? '', /^the packet was dropped/);
    const without = await path('web1', '192.0.2.254', '--no-probe');
    assert.deepEqual([without.ok, without.probe], [true, undefined]);
  });

  it('tells that the answer is dropped, not the packet', async () => {
    site.sh(
      'nft add table inet mine',
      "nft 'add chain inet mine f { type filter hook forward priority 0; }'",
      'nft add rule inet mine f iifname up0 drop',
    );
    const { ok, probe } = await path('web1', '192.0.2.254');
    assert.deepEqual([ok, probe?.what], [false, 'its answer was dropped on this host']);
    assert.match(probe?.droppedBy ?? '', /^iifname "up0" drop/);
  });

  it('finds where a packet is lost without any rule', async () => {
    const [web, db] = [site.hostIf('web1'), site.hostIf('db1')];
    const lost = async (what: RegExp, ...args: readonly string[]): Promise<void> => {
      const report = await path(...args);
      assert.equal(report.ok, false, text(report));
      assert.match(text(report).split('\n').at(-1) ?? '', what);
      assert.notEqual(report.probe?.result, 'answered');
    };
    site.sh(`ip link set ${db} nomaster`);
    await lost(new RegExp(`^lost bridge isth0: ${db} is no port of it`), 'web1', 'db1');
    await lost(new RegExp(`^lost interface ${db}: is no port of isth0`), 'db1', 'web1');
    site.sh(`ip link set ${db} master isth0`, `ip link set ${web} down`);
    await lost(new RegExp(`^lost bridge isth0: port ${web} is down`), 'db1', 'web1');
    site.sh(`ip link set ${web} up`, 'sysctl -q net.ipv4.ip_forward=0');
    await lost(/^lost the host: does not forward packets/, 'web1', '192.0.2.254');
    site.sh('sysctl -q net.ipv4.ip_forward=1', 'ip route del default');
    await lost(/^lost the host: has no route to 198\.51\.100\.1/, 'web1', '198.51.100.1');
    site.pod('db1').ip('route', 'del', 'default');
    await lost(
      /^lost container db1: it has no route to 198\.51\.100\.1 \(Network is unreachable\)/,
      'db1',
      '198.51.100.1',
    );
    site.pod('db1').ip('link', 'del', 'eth0');
    await lost(/^lost bridge isth0: port veth\w+ is gone/, 'web1', 'db1');
    site.sh('ip link set isth0 down');
    await lost(/^lost bridge isth0: is down/, 'web1', '192.0.2.254');
  });

  it('tells that a packet stays with its sender, or is for everybody', async () => {
    const down = await path('web1', 'web1');
    assert.equal(text(down), 'lost container web1: has 10.88.0.2 itself, and its interface lo is down');
    assert.equal(down.probe?.result, 'silent');
    site.pod('web1').ip('link', 'set', 'lo', 'up');
    for (const to of ['web1', '10.88.0.2', '127.0.0.1']) {
      const { ok, hops, probe } = await path('web1', to);
      const address = to === 'web1' ? '10.88.0.2' : to;
      assert.deepEqual([ok, probe?.result], [true, 'answered']);
      assert.deepEqual(
        hops.map(({ at, state, what }) => `${state} ${at}: ${what}`),
        [`passes container web1: has ${address} itself and answers`],
      );
    }
    for (const from of ['web1', 'host']) {
      const all = await path(from, '10.88.255.255', '--no-probe');
      assert.equal(all.ok, false);
      assert.match(
        text(all),
        /lost [^\n]*: 10\.88\.255\.255 is the broadcast address of a network, and no host answers for it/,
      );
    }
  });

  it('sends UDP, and follows IPv6', async () => {
    site.attach('six', { ...WEB, ipam: { ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: 'fd00:88::/64' }]] } });
    const udp = await path('web1', 'db1', '--port', '9', '--proto', 'udp');
    assert.deepEqual([udp.ok, udp.probe?.result], [false, 'refused']);
    const six = await path('host', 'fd00:88::2');
    assert.deepEqual(
      [six.ok, six.probe?.result, six.destination],
      [true, 'answered', 'fd00:88::2'],
      JSON.stringify(six),
    );
  });

  it('refuses what it cannot find or send', async () => {
    const run = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await site.verb('check-path', ...args);
      return `${code} ${stdout}${stderr}`;
    };
    site.attach('db2');
    assert.match(
      await run('nope', 'host'),
      /^1 isthmus: check-path nope: it is no address, and no container has this name or id\. Give "host"/,
    );
    assert.match(
      await run('db', 'host'),
      /^1 isthmus: container db: ids of 2 containers begin so: db1, db2\. Give more of it\n$/,
    );
    assert.match(await run('db1', 'host', '--port', '70000'), /^2 error: .*Give a number from 1 to 65535/);
    assert.match(
      await run('db1', 'host', '--proto', 'udp'),
      /^2 isthmus: check-path --proto udp: it needs a port\. Add --port\n$/,
    );
    assert.match(
      await run('db1', 'host', '--proto', 'icmp', '-p', '1'),
      /^2 isthmus: check-path --port 1: a ping has no port/,
    );
    assert.match(
      await run('db1', '2001:db8::1'),
      /^2 isthmus: check-path container db1 to 2001:db8::1: they have no address family in common/,
    );
    for (const [address, what] of [
      ['224.0.0.1', 'it is a multicast address'],
      ['ff02::1', 'it is a multicast address'],
      ['0.0.0.0', 'it stands for no address'],
      ['::', 'it stands for no address'],
      ['255.255.255.255', 'it is the broadcast address'],
      ['fe80::1', 'each link has such addresses of its own'],
      ['::ffff:10.88.0.2', 'it is an IPv4 address in the form of IPv6'],
    ] as const)
      for (const [from, to] of [['db1', address] as const, [address, 'host'] as const])
        assert.match(await run(from, to), new RegExp(`^2 isthmus: check-path ${address}: ${what}.*\\. Give [^\n]*\n$`));
    assert.match(await run('db1'), /^2 error: missing required argument 'to'/);
    site.pod('db1')[Symbol.dispose]();
    assert.match(await run('db1', 'web1'), /^2 isthmus: open namespace \/run\/netns\/\S+: there is no such file/);
  });
});
