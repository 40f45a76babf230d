import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type DoctorSite, makeDoctorSite, WEB, writeConfig } from '../support/doctor-site.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

/** What another program, or a person, does to the host; `{port}` is the host side of container c1. */
interface Damage {
  readonly title: string;
  readonly commands: readonly string[];
  /** Before the container is attached. */
  readonly before?: readonly string[];
  readonly rules: readonly string[];
  /** Words of the first finding. */
  readonly words?: RegExp;
  /** What is still found after `--fix`; by default nothing. */
  readonly left?: readonly string[];
  readonly config?: object;
  readonly args?: readonly string[];
}

const DROPS = [
  'nft add table inet mine',
  "nft 'add chain inet mine f { type filter hook forward priority 0; policy drop; }'",
];

const DAMAGE: readonly Damage[] = [
  { title: 'forwarding off', commands: ['sysctl -q net.ipv4.ip_forward=0'], rules: ['forwarding-off'] },
  { title: 'bridge deleted', commands: ['ip link del isth0'], rules: ['bridge-missing', 'port-off-bridge'] },
  { title: 'bridge down', commands: ['ip link set isth0 down'], rules: ['bridge-down'] },
  { title: 'bridge without its address', commands: ['ip addr flush dev isth0'], rules: ['bridge-without-address'] },
  {
    title: 'nft flush ruleset',
    commands: ['nft flush ruleset'],
    rules: ['rules-missing'],
    words: /entries of the packet filter are missing/,
  },
  { title: 'a set of ours flushed', commands: ['nft flush set inet isthmus masquerade4'], rules: ['rules-missing'] },
  { title: 'nomaster of a port', commands: ['ip link set {port} nomaster'], rules: ['port-off-bridge'] },
  {
    title: 'a limit removed',
    config: { ...WEB, runtimeConfig: { bandwidth: { ingressRate: 1_000_000, ingressBurst: 1_000_000 } } },
    commands: ['tc qdisc del dev {port} root'],
    rules: ['limit-missing'],
  },
  {
    title: 'the host side deleted',
    commands: ['ip link del {port}'],
    rules: ['endpoint-without-interface', 'interface-missing-inside'],
    left: ['endpoint-without-interface', 'interface-missing-inside'],
  },
  {
    title: 'a native table with policy drop',
    commands: [
      ...DROPS,
      "nft 'add rule inet mine f ct state vmap { established : accept, related : accept, invalid : drop }'",
    ],
    rules: ['foreign-filter-drops'],
    words: /drops what the network sends out.*table inet mine, chain f, policy drop/s,
    left: ['foreign-filter-drops'],
  },
  {
    title: 'a native rule that drops answers',
    commands: [
      'nft add table ip mine',
      "nft 'add chain ip mine f { type filter hook forward priority 5; }'",
      "nft 'add rule ip mine f oifname isth0 ct state established drop'",
    ],
    rules: ['foreign-filter-drops'],
    words: /drops the answers to its containers.*rule with handle/s,
    left: ['foreign-filter-drops'],
  },
  {
    title: "Docker's chains with FORWARD DROP",
    commands: [
      'iptables-nft -P FORWARD DROP',
      'iptables-nft -N DOCKER-USER',
      'iptables-nft -A FORWARD -j DOCKER-USER',
      'iptables-nft -A DOCKER-USER -j RETURN',
      'iptables-nft -D FORWARD -j ISTHMUS-FORWARD -m comment --comment isthmus 2>/dev/null || true',
    ],
    rules: ['docker-drops'],
  },
  {
    title: "ufw's chains",
    commands: [
      'iptables-nft -P FORWARD DROP',
      'iptables-nft -N ufw-before-forward',
      'iptables-nft -A FORWARD -j ufw-before-forward',
      'iptables-nft -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ],
    rules: ['ufw-drops'],
  },
  {
    title: 'a DROP of FORWARD in iptables-legacy',
    commands: ['iptables-legacy -P FORWARD DROP'],
    rules: ['foreign-filter-drops'],
    words: /iptables-legacy/,
  },
  {
    title: 'strict reverse path filtering, and a route of a VPN',
    commands: [
      'ip route add 10.88.0.0/16 dev up0 metric 0 table main proto static 2>/dev/null || ip route replace 10.88.0.0/17 dev up0',
      'ip route replace 10.88.0.0/17 dev up0',
      'sysctl -q net.ipv4.conf.isth0.rp_filter=1',
    ],
    rules: ['rp-filter-strict', 'subnet-overlaps'],
    left: ['rp-filter-strict', 'subnet-overlaps'],
  },
  {
    title: 'an uplink with a smaller MTU',
    commands: ['ip link set up0 mtu 1400'],
    rules: ['mtu-above-uplink'],
    left: ['mtu-above-uplink'],
  },
  {
    title: 'a pool that is full',
    config: { ...WEB, ipam: { ranges: [[{ subnet: '10.88.1.0/30' }]], routes: [{ dst: '0.0.0.0/0' }] } },
    commands: ['true'],
    rules: ['pool-nearly-full'],
    words: /1 of 1 addresses of 10\.88\.1\.0\/30/,
    left: ['pool-nearly-full'],
  },
  {
    title: 'isolated without br_netfilter',
    config: { ...WEB, ingressPolicy: 'isolated' },
    commands: ['sysctl -q net.bridge.bridge-nf-call-iptables=0'],
    rules: ['br-netfilter-off'],
    left: ['br-netfilter-off'],
  },
];

/** Rules of other programs that drop nothing of ours. */
const HARMLESS: readonly (readonly [title: string, ruleset: string])[] = [
  [
    'kube-proxy, whose chain FORWARD accepts',
    `table ip filter {
      chain KUBE-FIREWALL {
        ip saddr != 127.0.0.0/8 ip daddr 127.0.0.0/8 ct status dnat drop
      }
      chain KUBE-FORWARD {
        ct state invalid drop
        meta mark & 0x4000 == 0x4000 accept
        ct state related,established accept
      }
      chain FORWARD {
        type filter hook forward priority filter; policy accept;
        jump KUBE-FORWARD
      }
      chain INPUT {
        type filter hook input priority filter; policy accept;
        jump KUBE-FIREWALL
      }
    }`,
  ],
  [
    'a table that is switched off',
    `table inet off {
      flags dormant
      chain f {
        type filter hook forward priority filter; policy drop;
      }
    }`,
  ],
  [
    'a firewall of the host itself',
    `table inet hostfw {
      chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        tcp dport 22 accept
        meta l4proto { icmp, ipv6-icmp } accept
      }
      chain forward {
        type filter hook forward priority filter; policy accept;
        iifname "wg0" drop
        ip saddr 203.0.113.9 drop
        tcp dport 25 drop
        tcp flags syn limit rate over 1000/second drop
      }
    }`,
  ],
  [
    'a firewall that lets the network pass by verdict maps',
    `table inet maps {
      chain ours {
        accept
      }
      chain f {
        type filter hook forward priority filter; policy drop;
        ct state vmap { established : accept, related : accept }
        iifname vmap { "isth0" : jump ours }
        oifname vmap { "isth0" : jump ours }
      }
    }`,
  ],
];

describe('doctor on a real host', function () {
  this.timeout(60_000);
  let site: DoctorSite;

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeDoctorSite();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const state = (): string => join(site.serve.stateDir, 'state.db');

  it('finds nothing on a host that nothing has used, and leaves it so', async () => {
    assert.deepEqual(await site.rules(), []);
    assert.deepEqual(readdirSync(site.serve.root).sort(), ['bin', 'net.d']);
  });

  it('finds nothing on a healthy host, with and without a daemon, with and without probes', async () => {
    site.attach('c1', {
      ...WEB,
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    });
    site.attach('c2');
    writeConfig(site, '10-web.conflist', {
      cniVersion: '1.1.0',
      name: 'web',
      plugins: [{ type: 'isthmus', bridge: 'isth0' }],
    });
    assert.deepEqual((await site.doctor()).findings, []);
    assert.deepEqual((await site.doctor('--probe')).findings, []);
    using daemon = site.serve.start();
    await daemon.line(/event=daemon\.start/);
    assert.deepEqual((await site.doctor()).findings, []);
    assert.deepEqual((await site.doctor('web', '--probe')).findings, []);
    assert.match((await site.verb('doctor')).stdout, /^nothing found by \d+ rules\n$/);
  });

  for (const [title, ruleset] of HARMLESS)
    it(`finds nothing beside ${title}`, async () => {
      site.attach('c1', {
        ...WEB,
        runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
      });
      writeFileSync(join(site.serve.root, 'rules.nft'), ruleset);
      site.sh(`nft -f ${join(site.serve.root, 'rules.nft')}`);
      assert.deepEqual((await site.doctor()).findings, []);
      assert.match((await site.verb('status')).stdout, /\nNo problems\.\n$/);
      const path = await site.verb('check-path', 'c1', '192.0.2.254');
      assert.equal(path.code, 0, path.stdout);
    });

  for (const { title, commands, rules, words, left = [], config = WEB, before = [] } of DAMAGE) {
    it(`finds: ${title}`, async () => {
      site.attach('c1', config);
      site.sh(...[...before, ...commands].map((line) => line.replaceAll('{port}', site.hostIf('c1'))));
      const { findings } = await site.doctor();
      assert.deepEqual([...new Set(findings.map(({ rule }) => rule))].sort(), [...rules].sort());
      const [first] = findings;
      assert.match(`${first?.what}\n${first?.cure}`, words ?? /./);
      const fixed = await site.doctor('web', '--fix');
      assert.deepEqual([...new Set(fixed.findings.map(({ rule }) => rule))].sort(), [...left].sort(), 'after --fix');
    });
  }

  it('gives a cure that works for a table of others', async () => {
    site.attach('c1');
    site.sh(...DROPS);
    const [finding] = (await site.doctor()).findings;
    const [cure = ''] = (finding?.cure ?? '').split('; and the same');
    site.sh(
      cure
        .replaceAll(/ct state (\S+)/g, "ct state '{$1}'")
        .replaceAll("'{", '{')
        .replaceAll("}'", '}')
        .replaceAll(/[{}]/g, ''),
    );
    assert.deepEqual(await site.rules(), []);
  });

  it('finds what is missing in a container', async () => {
    site.attach('c1');
    site.attach('c2');
    site.pod('c1').ip('addr', 'flush', 'dev', 'eth0');
    assert.deepEqual(await site.rules(), ['address-missing-inside']);
    assert.deepEqual([await site.rules('c1'), await site.rules('c2')], [['address-missing-inside'], []]);
    site.pod('c1').ip('link', 'set', 'eth0', 'down');
    assert.deepEqual(await site.rules(), ['address-missing-inside', 'interface-down-inside']);
    site.pod('c2')[Symbol.dispose]();
    assert.ok((await site.rules('c2')).includes('endpoint-without-namespace'));
  });

  it('finds a link and a lease without an endpoint, and releases the lease', async () => {
    site.attach('c1');
    site.attach('c2');
    const db = new DatabaseSync(state());
    db.exec("DELETE FROM endpoints WHERE container = 'c2'");
    db.close();
    assert.deepEqual(await site.rules(), ['interface-without-endpoint', 'lease-without-endpoint']);
    site.sh(`ip link del ${site.hostIf('c2')}`);
    const { fixed = [] } = await site.doctor('--fix');
    assert.deepEqual(fixed, ['released 10.88.0.3']);
    assert.deepEqual(await site.rules(), []);
    assert.match((await site.verb('status')).stdout, / 1\/65533$/m);
  });

  it('finds a call that was killed, and not one under way', async () => {
    site.attach('c1');
    const db = new DatabaseSync(state());
    const row = db.prepare("SELECT body FROM endpoints WHERE container = 'c1'").get();
    const body = { ...JSON.parse(String(row?.body)), progress: 'intent' };
    db.prepare("UPDATE endpoints SET body = ? WHERE container = 'c1'").run(JSON.stringify(body));
    db.close();
    assert.deepEqual(await site.rules(), ['call-unfinished']);
    await site.doctor('--fix');
    assert.deepEqual(await site.rules(), []);
  });

  it('finds nothing beside calls that come and go, and repairs nothing of theirs', async () => {
    site.attach('c1');
    const stop = new AbortController();
    const failed: string[] = [];
    const stream = (async () => {
      for (let i = 0; !stop.signal.aborted; i++) {
        for (const command of ['ADD', 'DEL'] as const) {
          const { code, stdout } = await site.callIn('c1', command, `s${i}`);
          if (code !== 0) failed.push(stdout);
        }
      }
    })();
    const found: string[] = [];
    for (let i = 0; i < 12; i++) found.push(...(await site.rules(...(i % 2 === 0 ? [] : ['--fix']))));
    stop.abort();
    await stream;
    assert.deepEqual([found, failed], [[], []]);
  });

  it('finds an address that another interface of the bridge has, of both families', async () => {
    site.attach('c1', { ...WEB, ipam: { ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: 'fd00:88::/64' }]] } });
    using intruder = makeNetns('i');
    site.host.ip('link', 'add', 'stray', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', intruder.name);
    site.host.ip('link', 'set', 'stray', 'master', 'isth0', 'up');
    for (const address of ['10.88.0.2/16', 'fd00:88::2/64'])
      intruder.ip('addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    intruder.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:09', 'up');
    assert.deepEqual(await site.rules(), [], 'without probes');
    const { findings } = await site.doctor('--probe');
    assert.deepEqual(findings.map(({ rule, subject }) => `${rule} ${subject}`).sort(), [
      'address-twice address 10.88.0.2',
      'address-twice address fd00:88::2',
    ]);
    assert.match(findings[0]?.what ?? '', /02:00:00:00:00:09 answers for it/);
  });

  it('finds a link on the way that takes smaller packets only', async () => {
    site.attach('c1');
    // Its own side: the host's still takes 1500 bytes, and learns nothing where ICMP is dropped.
    site.outside.ip('link', 'set', 'eth0', 'mtu', '1300');
    site.outside.run(
      'sh',
      '-ec',
      'nft add table inet x; nft "add chain inet x i { type filter hook input priority 0; }"; nft add rule inet x i meta length \\> 1300 drop',
    );
    assert.deepEqual(await site.rules(), []);
    const { findings } = await site.doctor('--probe');
    assert.deepEqual(
      findings.map(({ rule }) => rule),
      ['mtu-above-path'],
    );
    assert.match(findings[0]?.what ?? '', /packets of 1500 bytes.*192\.0\.2\.254; 1300 is the most/);
  });

  it('finds CNI configuration files that do not parse, have a wrong key, or come first', async () => {
    site.attach('c1');
    const good = { cniVersion: '1.1.0', name: 'web', plugins: [{ type: 'isthmus', bridge: 'isth0' }] };
    writeConfig(site, '10-web.conflist', good);
    assert.deepEqual(await site.rules(), []);
    const found = async (): Promise<string> => {
      const { findings } = await site.doctor();
      return findings.map(({ rule, subject, what }) => `${rule} ${subject.split('/').at(-1)} ${what}`).join('\n');
    };
    writeConfig(site, '10-web.conflist', '{"name": "web",, }');
    assert.match(await found(), /^config-unreadable 10-web\.conflist is not JSON/);
    writeConfig(site, '10-web.conflist', { ...good, plugins: [{ type: 'isthmus', isGatway: true }] });
    assert.match(
      await found(),
      /^config-unreadable 10-web\.conflist \.isGatway=true: there is no such key. Did you mean isGateway\?$/,
    );
    writeConfig(site, '10-web.conflist', { ...good, name: 'not a name' });
    assert.match(await found(), /^config-unreadable 10-web\.conflist \.name="not a name"/);
    writeConfig(site, '10-web.conflist', good);
    writeConfig(site, '05-other.conflist', { cniVersion: '1.0.0', name: 'other', plugins: [{ type: 'flannel' }] });
    assert.match(await found(), /^config-not-first 10-web\.conflist \S+05-other\.conflist comes before it/);
    rmSync(join(site.confDir, '05-other.conflist'));
    // Whoever opens it waits for a writer.
    execFileSync('mkfifo', [join(site.confDir, '00-fifo.conf')]);
    assert.match(
      await found(),
      /^config-unreadable 00-fifo\.conf it cannot be read: it is neither a file nor a directory$/,
    );
    // It looks for the network in the same directory.
    assert.equal((await site.verb('network', 'create', 'other')).code, 0);
    assert.equal((await site.verb('network', 'rm', 'other')).code, 0);
    rmSync(join(site.confDir, '00-fifo.conf'));
    rmSync(join(site.serve.root, 'bin/loopback'));
    assert.match(await found(), /^loopback-missing plugin loopback it is in none of/);
  });

  it('finds wrong modes and owners, and mends modes', async () => {
    site.attach('c1');
    chmodSync(site.serve.stateDir, 0o755);
    chmodSync(state(), 0o644);
    // The store itself takes the permissions back when it opens: doctor looks first.
    const { findings } = await site.doctor();
    assert.deepEqual([...new Set(findings.map(({ rule }) => rule))], ['wrong-mode']);
    await site.doctor('--fix');
    assert.deepEqual(await site.rules(), []);
    chownSync(site.serve.stateDir, 1000, 1000);
    const { code, stderr, stdout } = await site.verb('doctor', '-o', 'json');
    assert.deepEqual([code, stderr], [1, '']);
    assert.match(stdout, /"rule": "wrong-mode"[^}]*belongs to user 1000, not to 0/s);
    assert.equal((await site.verb('status')).code, 1);
    chownSync(site.serve.stateDir, 0, 0);
  });

  it('finds a broken state, and leaves it as it is', async () => {
    site.attach('c1');
    for (const suffix of ['-wal', '-shm']) rmSync(state() + suffix, { force: true });
    writeFileSync(state(), 'x'.repeat(8192));
    assert.deepEqual(await site.rules(), ['state-broken']);
    assert.deepEqual(
      readdirSync(site.serve.stateDir).filter((name) => name.includes('corrupt')),
      [],
    );
    const status = await site.verb('status');
    assert.deepEqual([status.code, status.stderr], [1, '']);
    assert.match(status.stdout, /state\.db cannot be read/);
    await site.doctor('--fix');
    site.attach('c2');
    assert.ok((await site.rules()).includes('state-set-aside'));
  });

  it('and status and check-path leave a state of which some pages are broken', async () => {
    site.attach('c1');
    const db = new DatabaseSync(state());
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const roots = db.prepare("SELECT rootpage FROM sqlite_master WHERE name IN ('networks', 'endpoints')").all();
    const size = Number(db.prepare('PRAGMA page_size').get()?.page_size);
    db.close();
    const file = openSync(state(), 'r+');
    for (const { rootpage } of roots) writeSync(file, Buffer.alloc(size, 0xff), 0, size, (Number(rootpage) - 1) * size);
    closeSync(file);
    const before = readFileSync(state());
    assert.deepEqual(await site.rules(), ['state-broken']);
    const status = await site.verb('status');
    assert.deepEqual([status.code, status.stderr], [1, '']);
    assert.match(status.stdout, /! state\.db cannot be read: /);
    const path = await site.verb('check-path', 'c1', 'host');
    assert.deepEqual([path.code, path.stdout], [1, '']);
    assert.match(path.stderr, /^isthmus: store\.read file \S+state\.db: it is broken \([^\n]*\n$/);
    assert.deepEqual(readFileSync(state()), before);
  });

  it('finds a state on a read-only file system, which all that only look can read', async () => {
    site.attach('c1');
    const { stateDir } = site.serve;
    execFileSync('mount', ['--bind', stateDir, stateDir]);
    try {
      execFileSync('mount', ['-o', 'remount,ro,bind', stateDir]);
      const { findings } = await site.doctor();
      assert.deepEqual(
        findings.map(({ rule, what }) => `${rule}: ${what}`),
        ['state-unusable: its file system is mounted read-only'],
      );
      assert.match(
        (await site.verb('status')).stdout,
        /web +bridge [\s\S]*! state \S+: its file system is mounted read-only/,
      );
      for (const verb of ['network ls', 'endpoint ls', 'ports', 'topology', 'check-path c1 host']) {
        const { code, stderr } = await site.verb(...verb.split(' '));
        assert.deepEqual([code, stderr], [0, ''], verb);
      }
    } finally {
      execFileSync('umount', [stateDir]);
    }
  });

  it('finds a state of another boot, and of another host', async () => {
    site.attach('c1');
    const db = new DatabaseSync(state());
    db.exec(
      "INSERT INTO boots (host, boot) VALUES ('11111111-1111-4111-8111-111111111111:5', '11111111-1111-4111-8111-111111111111')",
    );
    const id = Number(db.prepare('SELECT max(id) AS id FROM boots').get()?.id);
    db.exec(
      `CREATE TEMP TABLE old AS SELECT * FROM leases LIMIT 1; UPDATE old SET boot = ${id}; INSERT INTO leases SELECT * FROM old`,
    );
    db.close();
    assert.deepEqual(await site.rules(), ['state-of-another-boot']);
  });

  it('finds a daemon that has ended, hangs, or has a second one beside it', async () => {
    site.attach('c1');
    const first = site.serve.start();
    await first.line(/event=daemon\.start/);
    assert.deepEqual(await site.rules(), []);
    process.kill(first.pid, 'SIGSTOP');
    const hung = await site.doctor();
    assert.deepEqual(
      hung.findings.map(({ rule }) => rule),
      ['daemon-hung'],
    );
    assert.match((await site.verb('status')).stdout, /does not answer within 300 ms/);
    process.kill(first.pid, 'SIGCONT');
    using second = site.serve.start({ args: ['--run-dir', join(site.serve.root, 'run2'), '--docker-socket', 'none'] });
    await second.line(/event=daemon\.start/);
    assert.deepEqual(await site.rules(), ['two-daemons']);
    second[Symbol.dispose]();
    await second.end;
    process.kill(first.pid, 'SIGKILL');
    await first.end;
    assert.deepEqual(await site.rules(), ['daemon-absent']);
  });

  it('finds a socket of another program where the daemon should be', async () => {
    site.attach('c1');
    execFileSync('mkdir', ['-m', '700', site.serve.runDir]);
    const server = createServer((connection) => connection.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
    await new Promise<void>((done) => server.listen(join(site.serve.runDir, 'control.sock'), done));
    chmodSync(join(site.serve.runDir, 'control.sock'), 0o600);
    try {
      assert.deepEqual(await site.rules(), ['daemon-hung']);
    } finally {
      server.close();
    }
  });

  it('refuses unknown names, ambiguous ids, and hosts without a state', async () => {
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await site.verb(...args);
      return `${code} ${stdout}${stderr}`;
    };
    assert.match(await run('doctor', 'web'), /^1 isthmus: state \S+: it does not exist\./);
    site.attach('ab1');
    site.attach('ab2');
    assert.match(
      await run('doctor', 'nope'),
      /^1 isthmus: doctor nope: there is no network and no container of this name or id\./,
    );
    assert.match(
      await run('doctor', 'ab'),
      /^1 isthmus: container ab: ids of 2 containers begin so: ab1, ab2\. Give more of it\n$/,
    );
    assert.match(await run('doctor', 'ab1', 'more'), /^2 error: too many arguments/);
    assert.match(
      await run('doctor', '--probe-to', 'x'),
      /^2 error: option '--probe-to <address>' argument 'x' is invalid/,
    );
    assert.match(await run('doctor', '--help'), /^0 .*Examples:.*doctor --fix/s);
  });
});
