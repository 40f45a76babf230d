import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { pluginCommand } from '../support/docker-plugin.ts';
import { bridgeConf, type NetConf } from '../support/netconf.ts';
import { netnsMissing, removeNetns } from '../support/netns.ts';
import { canPing, ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';
import { startAgent } from '../support/traffic.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';
import { VIA } from '../support/via.ts';

interface Network {
  readonly name: string;
  readonly device?: string;
  readonly present: boolean;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string; readonly leased?: number }[];
  readonly holders: readonly string[];
  readonly endpoints: readonly Endpoint[];
}

interface Endpoint {
  readonly network: string;
  readonly id: string;
  readonly addresses: readonly string[];
  readonly mac: string;
}

const PREDEFINED = ['bridge', 'host', 'none'];

describe('the operator verbs', function () {
  this.timeout(120_000);
  let dir: PluginDir;
  let host: CniHost;
  let verbs: Verbs;
  let clean: string;

  before(function () {
    skipIf(this, netnsMissing());
    dir = pluginDir();
  });
  after(() => dir?.[Symbol.dispose]());
  beforeEach(async () => {
    host = makeHost(3);
    verbs = makeVerbs({ stateDir: host.stateDir, netns: host.ns.path });
    // The remains of the first network: the state's files, and the table of the packet filter.
    await verbs.ok('network', 'create', 'first');
    cni('ADD', confOf('first'));
    cni('DEL', confOf('first'));
    await verbs.ok('network', 'rm', 'first');
    clean = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  /** The CNI configuration of a network that `network create` has made, by its name and subnets. */
  function confOf(name: string, subnets = ['10.192.0.0/22'], more: Readonly<Record<string, unknown>> = {}): NetConf {
    const ranges = subnets.map((subnet) => [{ subnet }]);
    const plugin = { type: 'isthmus', driver: 'bridge', isGateway: true, ipMasq: true, ...more };
    return { cniVersion: '1.0.0', name, ...plugin, ipam: { ranges, routes: [{ dst: '0.0.0.0/0' }] } };
  }
  const cni = (command: 'ADD' | 'DEL' | 'CHECK', config: NetConf, pod = 0, ports?: readonly object[]) => {
    const runtimeConfig = ports === undefined ? {} : { runtimeConfig: { portMappings: ports } };
    return host.ok({ dir: dir.path, name: 'isthmus', command, pod, config: { ...config, ...runtimeConfig } });
  };
  const inspect = async (...names: readonly string[]): Promise<readonly Network[]> =>
    verbs.json('network', 'inspect', ...names);
  const made = async (): Promise<readonly string[]> => {
    const all = await verbs.json<Network[]>('network', 'ls');
    return all.map(({ name }) => name).filter((name) => !PREDEFINED.includes(name));
  };

  it('create a network that pods join by name, and that outlives them', async () => {
    const created = ['--subnet', '10.88.0.0/24', '--gateway', '10.88.0.9', '--subnet', 'fd00:88::/64'];
    assert.equal(await verbs.ok('network', 'create', 'web', ...created), 'web\n');
    const bridge = host.ns.ip('-br', 'addr', 'show', 'dev', 'br-web');
    assert.match(bridge, / 10\.88\.0\.9\/24 fd00:88::1\/64/);
    const kept = host.snapshot();
    const ranges = [[{ subnet: '10.88.0.0/24', gateway: '10.88.0.9' }], [{ subnet: 'fd00:88::/64' }]];
    const conf = { ...confOf('web'), ipam: { ranges, routes: [{ dst: '0.0.0.0/0' }] } };
    const { ips } = cni('ADD', conf, 0);
    cni('ADD', conf, 1);
    ping(host.pod(1), ips?.[0]?.address ?? '');
    ping(host.pod(0), '10.88.0.9');

    const [web] = await inspect('web');
    assert.deepEqual(
      web?.endpoints.map(({ id, network }) => `${id} ${network}`),
      ['pod0 web', 'pod1 web'],
    );
    assert.deepEqual(
      web.endpoints[0]?.addresses,
      ips?.map(({ address }) => address),
    );
    assert.match(host.pod(0).ip('link', 'show', 'eth0'), new RegExp(web.endpoints[0]?.mac ?? 'no MAC'));
    assert.deepEqual(
      web.subnets.map(({ subnet, gateway, leased }) => [subnet, gateway, leased]),
      [
        ['10.88.0.0/24', '10.88.0.9', 2],
        ['fd00:88::/64', 'fd00:88::1', 2],
      ],
    );
    assert.deepEqual(await verbs.json('endpoint', 'ls', 'web'), web.endpoints);

    cni('DEL', conf, 0);
    cni('DEL', conf, 1);
    assertSame(host.snapshot(), kept, 'the last pod');
    assert.equal(await verbs.ok('network', 'rm', 'web'), 'web\n');
    assertSame(host.snapshot(), clean, 'network rm');
  });

  it('print tables', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    await verbs.ok('network', 'create', 'lab', '-d', 'null');
    cni('ADD', confOf('web', ['10.88.0.0/24'], { capabilities: { portMappings: true } }), 0, [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '127.0.0.1' },
    ]);
    assert.equal(
      await verbs.ok('network', 'ls'),
      `
NAME     DRIVER   DEVICE   SUBNETS        IN USE   ENDPOINTS   USED BY
bridge   bridge   -        -              -        -           predefined
host     host     -        -              -        -           predefined
lab      null     -        -              -        0           operator
none     null     -        -              -        -           predefined
web      bridge   br-web   10.88.0.0/24   1/253    1           operator
`.slice(1),
    );
    const [{ hostInterface = '' } = {}] = await verbs.json<{ hostInterface?: string }[]>('endpoint', 'ls');
    assert.match(host.ns.ip('-br', 'link', 'show', 'dev', hostInterface), /^veth/);
    const endpoints = `
NETWORK   CONTAINER   INTERFACE   ${'HOST SIDE'.padEnd(hostInterface.length)}   ADDRESSES      MAC                 CAMP   STATE
web       pod0        eth0        ${hostInterface}   10.88.0.2/24   0a:58:0a:58:00:02   cni    ready
`.slice(1);
    assert.equal(await verbs.ok('endpoint', 'ls'), endpoints);
    assert.equal(await verbs.ok('endpoint', 'inspect', '-o', 'table', 'pod0'), endpoints);
    assert.equal(
      await verbs.ok('network', 'inspect', '-o', 'table', 'web'),
      `
NAME   DRIVER   DEVICE   SUBNETS        IN USE   ENDPOINTS   USED BY
web    bridge   br-web   10.88.0.0/24   1/253    1           operator

${endpoints}`.slice(1),
    );
    const ports = `
CONTAINER   NETWORK   HOST               LEADS TO
pod0        web       127.0.0.1:53/udp   10.88.0.2:5353
pod0        web       *:8080/tcp         10.88.0.2:80
`.slice(1);
    assert.equal(await verbs.ok('ports'), ports);
    assert.equal(await verbs.ok('ports', 'pod0'), ports);
    await verbs.refused(['ports', 'pod1'], 1, /container pod1: there is no container of this name or id/);
    host.ns.ip('link', 'set', hostInterface, 'nomaster');
    assert.match(await verbs.ok('endpoint', 'ls'), new RegExp(`cni +${hostInterface} is not a port of br-web$`, 'm'));
    host.ns.ip('link', 'delete', hostInterface);
    assert.match(await verbs.ok('endpoint', 'ls', 'web'), new RegExp(`cni +${hostInterface} is missing$`, 'm'));
    const [{ problem } = {}] = await verbs.json<{ problem?: string }[]>('endpoint', 'inspect', 'pod0');
    assert.equal(problem, `${hostInterface} is missing`);
  });

  it('print JSON with the same keys every time', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    const conf = confOf('web', ['10.88.0.0/24'], { capabilities: { portMappings: true } });
    cni('ADD', conf, 0, [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
    cni('ADD', conf, 1);
    const keysOf = async (...args: readonly string[]): Promise<string> => {
      const items = await verbs.json<object[]>(...args);
      const keys = new Set(items.map((item) => Object.keys(item).sort().join(' ')));
      assert.equal(keys.size, 1, [...keys].join('\n'));
      return [...keys].join();
    };
    const network =
      'allocator device docker driver endpoints holders internal masquerade name predefined present subnets';
    assert.equal(await keysOf('network', 'inspect', 'web'), network);
    const always = network.replace('allocator device ', '');
    const listed = await verbs.json<object[]>('network', 'ls');
    for (const item of listed) {
      const keys = Object.keys(item).sort().join(' ');
      assert.equal(keys, 'device' in item ? network : always);
    }
    const endpoint = 'addresses aliases camp hostInterface id interface mac network ports ready sandbox';
    assert.equal(await keysOf('endpoint', 'ls'), endpoint);
    assert.equal(await keysOf('endpoint', 'inspect', 'pod0', 'pod1'), endpoint);
    const [first] = await verbs.json<object[]>('ports', 'pod0');
    assert.deepEqual(first, {
      ...{ protocol: 'tcp', hostIp: '', hostPort: 8080, addresses: ['10.88.0.2'], port: 80 },
      ...{ network: 'web', camp: 'cni', id: 'pod0' },
    });
    assert.deepEqual(await verbs.json('ports', 'pod1'), []);
  });

  it('filter lists, print names only, and tell who has a port', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    await verbs.ok('network', 'create', 'lab', '-d', 'null');
    const conf = confOf('web', ['10.88.0.0/24'], { capabilities: { portMappings: true } });
    cni('ADD', conf, 0, [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 53, containerPort: 53, protocol: 'udp' },
    ]);
    cni('ADD', conf, 1);
    for (const [words, names] of [
      ['network ls -q', 'bridge host lab none web'],
      ['network ls -q --filter name=we', 'web'],
      ['network ls -q -f driver=null', 'lab none'],
      ['network ls -q -f driver=null -f name=l -f name=w', 'lab'],
      ['network ls -q -f label=a', ''],
      ['endpoint ls -q', 'pod0 pod1'],
      ['endpoint ls web -q -f container=pod1 -f camp=cni', 'pod1'],
      ['endpoint ls -q -f camp=docker', ''],
      ['ports -q', '*:53/udp *:8080/tcp'],
      ['ports -q -f protocol=udp -f network=web', '*:53/udp'],
      ['ports -q --port 53', '*:53/udp'],
      ['ports -q --port 8080/tcp', '*:8080/tcp'],
      ['ports -q --port 8080/udp', ''],
      ['ports -q pod1 --port 8080', ''],
    ] as const) {
      const text = await verbs.ok(...words.split(' '));
      assert.equal(text, names === '' ? '' : `${names.replaceAll(' ', '\n')}\n`, words);
    }
    assert.match(await verbs.ok('ports', '--port', '8080'), /^pod0 +web +\*:8080\/tcp +10\.88\.0\.2:80$/m);
    assert.equal(await verbs.ok('network', 'ls', '--format', 'json'), await verbs.ok('network', 'ls', '-o', 'json'));
    using agent = startAgent('host', host.ns);
    await agent.serve('tcp', 8081);
    const { code, stdout, stderr } = await verbs.run('ports', '-q', '--port', '8081');
    assert.deepEqual([code, stdout], [0, '']);
    assert.match(stderr, /^isthmus: host port 8081\/tcp: .*\(pid \d+\) listens on it\n$/);
  });

  it('reload: puts back what is missing', async () => {
    const conf = confOf('web', ['10.88.0.0/24'], { capabilities: { portMappings: true } });
    cni('ADD', conf, 0, [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
    assert.equal(await verbs.ok('reload'), 'nothing to put back\n');
    const before = host.snapshot();
    host.ns.run('nft', 'delete', 'table', 'inet', 'isthmus');
    const text = await verbs.ok('reload');
    if (VIA !== 'daemon') assert.match(text, /^put back \d+ entries of the packet filter\n$/);
    assertSame(host.snapshot(), before, 'reload');
    cni('DEL', conf, 0);
  });

  it('find endpoints by a unique prefix of an id, and none by an ambiguous one', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    const conf = confOf('web', ['10.88.0.0/24']);
    const ids = ['4f1c', '4f2d'].map((start) => start.padEnd(64, '0'));
    for (const [pod, containerId] of ids.entries())
      host.ok({ dir: dir.path, name: 'isthmus', command: 'ADD', pod, containerId, config: conf });
    assert.match(await verbs.ok('endpoint', 'ls'), /^web +4f1c00000000 /m);
    for (const text of ['4f1', '4f1c00000000', ids[0] ?? '']) {
      const found = await verbs.json<Endpoint[]>('endpoint', 'inspect', text);
      assert.deepEqual(
        found.map(({ id }) => id),
        [ids[0]],
      );
    }
    const both = await verbs.json<Endpoint[]>('endpoint', 'inspect', '4f2', '4f1', '4f2d');
    assert.deepEqual(
      both.map(({ id }) => id),
      [ids[1], ids[0]],
    );
    await verbs.refused(['endpoint', 'inspect', '4f'], 1, /begin so: 4f1c00000000, 4f2d00000000\. Give more of it/);
    for (const [words, text] of [
      [['endpoint', 'inspect', '4f1', 'nope', 'nix'], 'container'],
      [['network', 'inspect', 'web', 'nope', 'nix'], 'network'],
    ] as const) {
      const { code, stdout, stderr } = await verbs.run(...words);
      assert.equal(code, 1);
      assert.equal((JSON.parse(stdout) as unknown[]).length, 1, 'what was found');
      const lines = ['nope', 'nix'].map((name) => `isthmus: ${text} ${name}: there is no [^\n]+\n`);
      assert.match(stderr, new RegExp(`^${lines.join('')}$`));
    }
    await verbs.refused(['endpoint', 'ls', '4f1'], 1, /network 4f1: there is no network of this name or id/);
  });

  it('release a network that pods use: the last of them deletes it', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    const conf = confOf('web', ['10.88.0.0/24']);
    cni('ADD', conf, 0);
    cni('ADD', conf, 1);
    const { code, stdout, stderr } = await verbs.run('network', 'rm', 'web');
    assert.deepEqual([code, stdout], [0, 'web\n']);
    assert.equal(stderr, 'isthmus: network web: 2 endpoints are on it. It is deleted when its last user leaves\n');
    ping(host.pod(0), '10.88.0.1');
    assert.deepEqual((await inspect('web'))[0]?.holders, []);
    cni('DEL', conf, 0);
    await verbs.refused(
      ['network', 'rm', 'web'],
      1,
      /network web: pods made it, and 1 endpoint is on it\. It is deleted with/,
    );
    ping(host.pod(1), '10.88.0.1');
    cni('DEL', conf, 1);
    assertSame(host.snapshot(), clean, 'the last pod');
    await verbs.refused(['network', 'rm', 'web'], 1, /network web: there is no network of this name or id/);
  });

  it('remove what is left of a container whose namespace is gone, and nothing of one that may be running', async () => {
    const config = confOf('web', ['10.61.0.0/24'], { bridge: 'isthweb' });
    cni('ADD', config, 0, [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
    const [one] = await verbs.json<readonly Endpoint[]>('endpoint', 'ls');
    const { id } = one ?? assert.fail();
    const running = host.snapshot();
    for (const force of [[], ['--force']])
      await verbs.refused(['endpoint', 'rm', ...force, id], 1, /its namespace \S+ is there, so that it may be running/);
    assertSame(host.snapshot(), running, 'refused');
    removeNetns(host.pod(0).name);
    assert.equal(await verbs.ok('endpoint', 'rm', id), `${id}\n`);
    await verbs.refused(['endpoint', 'rm', id], 1, /there is no container of this name or id/);
    assert.deepEqual([await made(), await verbs.json('endpoint', 'ls')], [[], []]);
    assert.doesNotMatch(host.ns.run('nft', 'list', 'ruleset') + host.ns.ip('link'), /8080|isthweb/);
  });

  it('keep a network that pods created, unchanged', async () => {
    const conf = bridgeConf('isthmus', host);
    const held = { dir: dir.path, name: 'isthmus', pod: 0, config: conf };
    host.ok({ ...held, command: 'ADD' });
    const before = host.ns.ip('addr');
    assert.equal(await verbs.ok('network', 'create', 'web'), 'web\n');
    assert.equal(host.ns.ip('addr'), before);
    await verbs.refused(['network', 'create', 'web'], 1, /network web: there is a network of this name/);
    const unchanged = host.snapshot();
    const again = ['network', 'create', 'web', '--if-not-exists'];
    assert.equal(await verbs.ok(...again, '--subnet', '10.99.0.0/24'), 'web\n');
    assertSame(host.snapshot(), unchanged, '--if-not-exists');
    host.ok({ ...held, command: 'DEL' });
    assert.deepEqual(
      (await inspect('web')).map(({ device, present, holders }) => [device, present, holders]),
      [['isth0', true, ['operator']]],
    );
    host.ok({ ...held, command: 'ADD' });
    ping(host.pod(0), '10.88.0.1');
    host.ok({ ...held, command: 'DEL' });
    await verbs.ok('network', 'rm', 'web');
    assertSame(host.snapshot(), clean, 'network rm');
  });

  it('create a network from the CNI configuration file of its name', async () => {
    using confDir = makeTempDir();
    const { name, cniVersion, ...plugin } = bridgeConf('isthmus', host);
    writeFileSync(join(confDir.path, '10-web.conflist'), JSON.stringify({ cniVersion, name, plugins: [plugin] }));
    const env = { ISTHMUS_CNI_CONF_DIR: confDir.path };
    const own = makeVerbs({ stateDir: host.stateDir, netns: host.ns.path, env });
    for (const option of [
      ['--subnet', '10.99.0.0/24'],
      ['--internal'],
      ['--ipv6'],
      ['--opt', 'mtu=1400'],
      ['-d', 'null'],
    ]) {
      const why = /web is described by a CNI configuration file or by those who use it\. Leave it out/;
      await own.refused(['network', 'create', 'web', ...option], 2, why);
    }
    assertSame(host.snapshot(), clean, 'what was refused');
    await own.ok('network', 'create', 'web');
    assert.match(host.ns.ip('-br', 'addr', 'show', 'dev', 'isth0'), / 10\.88\.0\.1\/24/);
    host.ok({ dir: dir.path, name: 'isthmus', command: 'ADD', pod: 0, config: bridgeConf('isthmus', host) });
    ping(host.pod(0), '10.88.0.1');
    host.ok({ dir: dir.path, name: 'isthmus', command: 'DEL', pod: 0, config: bridgeConf('isthmus', host) });
    assert.deepEqual(await made(), ['web']);
    await own.ok('network', 'rm', 'web');
    assertSame(host.snapshot(), clean, 'network rm');
  });

  it('choose free subnets, and say who holds them when none is left', async () => {
    host.ns.ip('link', 'add', 'lan0', 'up', 'type', 'bridge');
    host.ns.ip('addr', 'add', '10.50.0.1/24', 'dev', 'lan0');
    const pools = ['--address-pool', 'base=10.50.0.0/23,size=24', '--address-pool', 'base=fd50::/63,size=64'];
    await verbs.ok('network', 'create', 'a', '--ipv6', ...pools);
    const subnetsOf = ({ subnets }: Network): string[] => subnets.map(({ subnet }) => subnet);
    assert.deepEqual((await inspect('a')).map(subnetsOf), [['10.50.1.0/24', 'fd50::/64']]);
    await verbs.refused(
      ['network', 'create', 'b', ...pools],
      1,
      /pools of IPv4 \(10\.50\.0\.0\/23 in \/24\): all of them are held: .*network "?a"?.*lan0.*--subnet/,
    );
    const four = ['--address-pool', 'base=10.60.0.0/24,size=24'];
    await verbs.refused(['network', 'create', 'b', '--ipv6', ...four], 1, /pools of IPv6 \(none\): there are none/);
    await verbs.ok('network', 'create', 'b', '--subnet', '10.51.0.0/24', '--ipv6', ...pools);
    assert.deepEqual((await inspect('b')).map(subnetsOf), [['10.51.0.0/24', 'fd50:0:0:1::/64']]);
    await verbs.ok('network', 'create', 'six', '--subnet', 'fd51::/64');
    assert.deepEqual((await inspect('six')).map(subnetsOf), [['fd51::/64']]);
    await verbs.ok('network', 'rm', 'a', 'b', 'six');
    host.ns.ip('link', 'delete', 'lan0');
    assertSame(host.snapshot(), clean, 'all of them');
  });

  it('run concurrently', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => verbs.ok('network', 'create', name)));
    const subnets = (await inspect(...names)).flatMap((network) => network.subnets.map(({ subnet }) => subnet));
    assert.equal(new Set(subnets).size, 4, subnets.join(' '));
    const same = await Promise.all(names.map(() => verbs.run('network', 'create', 'web', '--subnet', '10.88.0.0/24')));
    assert.ok(
      same.some(({ code }) => code === 0),
      JSON.stringify(same),
    );
    for (const { code, stderr } of same) if (code !== 0) assert.match(stderr, /^isthmus: .*network web/);
    assert.deepEqual(await made(), [...names, 'web']);
    await Promise.all([...names, 'web'].map((name) => verbs.ok('network', 'rm', name)));
    assertSame(host.snapshot(), clean, 'all of them');
  });

  it('report what is missing, and delete the remains', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    host.ns.ip('link', 'delete', 'br-web');
    // A daemon puts the bridge back by itself.
    if (VIA !== 'daemon') assert.match(await verbs.ok('network', 'ls'), /^web +bridge +br-web \(missing\) /m);
    await verbs.ok('network', 'rm', 'web');
    assertSame(host.snapshot(), clean, 'network rm');
  });

  it('create networks that are internal, not masqueraded, or without a gateway', async () => {
    await verbs.ok(
      'network',
      'create',
      'web',
      '--subnet',
      '10.88.0.0/24',
      '--opt',
      'bridge=isth7',
      '--opt',
      'mtu=1400',
    );
    await verbs.ok('network', 'create', 'db', '--subnet', '10.89.0.0/24', '--internal');
    await verbs.ok(
      'network',
      'create',
      'l2',
      '--subnet',
      '10.90.0.0/24',
      '--opt',
      'isGateway=false',
      '--opt',
      'ipMasq=false',
    );
    assert.match(host.ns.ip('link', 'show', 'isth7'), /mtu 1400 /);
    assert.equal(host.ns.ip('-4', 'addr', 'show', 'dev', 'br-l2'), '');
    const traits = (await verbs.json<(Network & { internal: boolean; masquerade: boolean })[]>('network', 'ls'))
      .filter(({ name }) => !PREDEFINED.includes(name))
      .map(({ name, internal, masquerade }) => [name, internal, masquerade]);
    assert.deepEqual(traits, [
      ['db', true, false],
      ['l2', false, false],
      ['web', false, true],
    ]);
    cni('ADD', confOf('db', ['10.89.0.0/24'], { ipMasq: false, internal: true }), 0);
    cni('ADD', confOf('web', ['10.88.0.0/24'], { bridge: 'isth7' }), 1);
    ping(host.pod(0), '10.89.0.1');
    assert.equal(canPing(host.pod(1), '10.89.0.2'), false, 'nothing comes into an internal network');
  });

  it('change nothing for bad input', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    cni('ADD', confOf('web', ['10.88.0.0/24']), 0);
    const before = host.snapshot();
    const create = (...args: readonly string[]): readonly string[] => ['network', 'create', ...args];
    for (const [args, code, why] of [
      [create('web'), 1, /network web: there is a network of this name\. Choose another name/],
      ...PREDEFINED.map((name) => [create(name), 1, /: a network of this name is predefined/] as const),
      [create('a b'), 2, /\.name="a b": is not a network name\. Start with a letter or digit/],
      [create('../web'), 2, /\.name="\.\.\/web": is not a network name/],
      [create(''), 2, /\.name="": is not a network name/],
      [create('x'.repeat(129)), 2, /is not a network name/],
      [
        create('a', '-d', 'host'),
        2,
        /--driver="host": networks of this driver cannot be made here\. Use bridge or null/,
      ],
      [create('a', '-d', 'brigde'), 2, /--driver="brigde": .* Did you mean bridge\?/],
      [create('a', '-d', 'null', '--subnet', '10.1.0.0/16'), 2, /--subnet="10\.1\.0\.0\/16": it means nothing to/],
      [create('a', '--subnet', '10.88.0.0/16'), 1, /subnet 10\.88\.0\.0\/16 overlaps 10\.88\.0\.0\/24 of network web/],
      [create('a', '--subnet', '10.1.0.9/16'), 2, /--subnet="10\.1\.0\.9\/16": it has host bits/],
      [create('a', '--gateway', '10.1.0.1'), 2, /--gateway="10\.1\.0\.1": it is in none of the subnets/],
      [create('a', '--opt', 'mut=1400'), 2, /--opt="mut=1400": networks have no such key\. Did you mean mtu\?/],
      [create('a', '--opt', 'mtu=66'), 2, /\.mtu=66: an MTU is at least 68 bytes/],
      [create('a', '--opt', 'mtu=much'), 2, /\.mtu="much": it is not an integer/],
      [create('a', '--opt', 'bridge=br-web'), 1, /bridge br-web is that of network web/],
      [create('a', '--opt', 'bridge=a/b'), 2, /\.bridge="a\/b": it is not an interface name/],
      [create('a', '--internal', '--opt', 'ipMasq=true'), 2, /\.internal=true: nothing leaves an internal network/],
      [['network', 'rm', 'wbe'], 1, /network wbe: there is no network of this name or id\. isthmus network ls shows/],
      ...PREDEFINED.map((name) => [['network', 'rm', name], 1, /: it is predefined\. It cannot be removed/] as const),
      [
        ['network', 'rm', 'bridge', 'wbe'],
        1,
        /^isthmus: network bridge: it is predefined.*\nisthmus: network wbe: there is no network.*\n$/,
      ],
      [['endpoint', 'inspect', 'pod9'], 1, /container pod9: there is no container/],
      [['ports', 'pod9'], 1, /container pod9: there is no container .* isthmus endpoint ls shows/],
    ] as const)
      await verbs.refused(args, code, why);
    assertSame(host.snapshot(), before, 'bad input');
  });

  it('refuse pods whose configuration contradicts the network', async () => {
    await verbs.ok('network', 'create', 'web', '--subnet', '10.88.0.0/24');
    const before = host.snapshot();
    for (const [config, why] of [
      [
        confOf('web', ['10.99.0.0/24']),
        /has subnet 10\.88\.0\.0\/24, but subnet 10\.99\.0\.0\/24 .*the operator keeps it/,
      ],
      [
        confOf('web', ['10.88.0.0/24'], { bridge: 'isth5' }),
        /is on bridge br-web kept by the operator, but bridge isth5/,
      ],
    ] as const) {
      const { code, json } = host.run({ dir: dir.path, name: 'isthmus', command: 'ADD', pod: 0, config });
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', why);
    }
    assertSame(host.snapshot(), before, 'what was refused');
  });

  it('exit silently when nobody reads their output', async () => {
    const command = pluginCommand().join(' ');
    const text = `for verb in 'network ls -o json' 'endpoint ls' 'ports'; do ${command} $verb | true; done 2>&1`;
    const env = { PATH: process.env.PATH, ISTHMUS_STATE_DIR: host.stateDir, ISTHMUS_DOCKER_HOST: 'none' };
    const said = execFileSync('nsenter', [`--net=${host.ns.path}`, '--', 'sh', '-c', text], { env, encoding: 'utf8' });
    assert.equal(said, '');
  });
});
