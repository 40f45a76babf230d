import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { on } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { sandboxId } from '../../src/shared/model/attachment.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { makeNetns, netnsMissing, type TestNetns, withNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { attachOps, BRIDGE, failure } from './host-fixture.ts';

describe('LinuxHost on this machine', () => {
  let host: LinuxHost;
  let dir: string;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
    dir = mkdtempSync(join(tmpdir(), 'isth-host-'));
  });
  after(() => {
    host?.[Symbol.dispose]();
    if (dir !== undefined) rmSync(dir, { recursive: true });
  });

  it('reports in different words why a path is not a network namespace', () => {
    const fifo = join(dir, 'fifo');
    execFileSync('mkfifo', [fifo]);
    writeFileSync(join(dir, 'file'), '');
    const words = [
      ['/run/netns/isth-nothing', /no such file/],
      [join(dir, 'file', 'below'), /no such file/],
      [join(dir, 'file'), /not a namespace.*unmounted/],
      [fifo, /not a namespace/],
      [dir, /not a namespace/],
      ['/dev/null', /not a namespace/],
      ['/proc/self/ns/mnt', /another kind/],
      ['/proc/self/ns/user', /another kind/],
    ] as const;
    for (const [path, text] of words) {
      const error = failure(() => host.open(path), 'invalid-namespace');
      assert.match(error.message, text);
      assert.ok(error.message.includes(path), error.message);
    }
  });

  it('opens its own namespace by path, and recognises it', () => {
    using own = host.open('/proc/self/ns/net');
    assert.equal(own.id, host.own.id);
  });

  it('takes its id from the environment, else from its namespace', () => {
    using named = openLinuxHost({ ISTHMUS_HOST_ID: 'h7' });
    assert.equal(named.identity.hostId, 'h7');
    const { hostId, bootId, bootedAt } = host.identity;
    // The tests run where the machine's first process runs, or in a namespace of their own; a kernel thread tells.
    const first = /^kthreadd$/m.test(readFileSync('/proc/2/comm', 'utf8')) ? '/proc/2/ns/net' : '/proc/1/ns/net';
    assert.equal(hostId, statSync('/proc/self/ns/net').ino === statSync(first).ino ? 'root' : host.own.id);
    assert.equal(bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    const btime = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
    assert.ok(Math.abs(bootedAt / 1000 - btime) <= 2, `${bootedAt} and ${btime}`);
  });

  it('has another id in another namespace', () => {
    withNetns(1, (inside) => {
      const script = `
        const { openLinuxHost } = await import(${JSON.stringify(new URL('../../src/shared/host/linux-host.ts', import.meta.url).href)});
        console.log(openLinuxHost({}).identity.hostId);`;
      const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
      const hostId = inside.run(process.execPath, ...args).trim();
      using opened = host.open(inside.path);
      assert.equal(hostId, opened.id);
    });
  });

  it('gives successive namespaces with reused inode numbers different ids', () => {
    const ids = Array.from({ length: 12 }, () => {
      using ns = makeNetns();
      using opened = host.open(ns.path);
      return opened.id;
    });
    assert.equal(new Set(ids).size, ids.length);
  });

  it('returns the thread to its own namespace, also after failures', () => {
    const where = (): number => statSync('/proc/thread-self/ns/net').ino;
    const before = where();
    withNetns(2, (outside, inside) => {
      using hostNs = host.open(outside.path);
      using sandbox = host.open(inside.path);
      host.apply(attachOps(), { host: hostNs, sandbox });
      assert.equal(where(), before);
      failure(
        () =>
          host.apply([{ op: 'sysctl.set', ns: 'sandbox', key: 'net/ipv4/x/y', value: '1' }], { host: hostNs, sandbox }),
        'kernel',
      );
      host.observe(sandbox, { links: 'all', addresses: 'all', routes: true, sysctls: ['net/ipv4/ip_forward'] });
      assert.equal(where(), before);
    });
  });

  it('refuses a closed namespace and one of another host', () => {
    withNetns(1, (inside) => {
      const ns = host.open(inside.path);
      ns[Symbol.dispose]();
      failure(() => host.observe(ns, { links: 'all' }), 'internal');
      failure(() => host.observe({ id: sandboxId('1', 1), path: '/x', [Symbol.dispose]: () => {} }, {}), 'internal');
    });
  });

  it('announces addresses to neighbours', async function () {
    this.timeout(20_000);
    using outside = makeNetns('host-');
    for (const stays of [false, true]) {
      using staying = openLinuxHost({}, { stays });
      using ns = staying.open(outside.path);
      using first = makeNetns('sandbox-');
      using second = makeNetns('sandbox-');
      const pods = [first, second].map(({ path }) => staying.open(path));
      const [one = assert.fail(), two = assert.fail()] = pods;
      const name = (pod: number): string => `${stays ? 'later' : 'now'}${pod}`;
      if (!stays) staying.apply([BRIDGE], { host: ns });
      staying.apply([portOp(name(1)), up('host', name(1)), up('sandbox', 'eth0')], { host: ns, sandbox: one });
      using heard = await listen(first);
      const mac = '0a:58:0a:09:00:02';
      const key = 'net/ipv4/conf/eth0/arp_notify';
      const ops: Op[] = [
        portOp(name(2), mac),
        up('host', name(2)),
        { op: 'announce', ns: 'sandbox', dev: 'eth0', mac, addresses: ['10.9.0.2', 'fd00:9::2'] },
        { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
        { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: 'fd00:9::2/64', noDad: true },
        up('sandbox', 'eth0'),
        { op: 'sysctl.set', ns: 'sandbox', key, value: '1' },
      ];
      staying.apply(ops, { host: ns, sandbox: two });
      assert.equal(staying.observe(two, { sysctls: [key] }).sysctls.get(key), '1');
      await heard.line(
        /^0a:58:0a:09:00:02 > ff:ff:ff:ff:ff:ff, .*Request who-has 10\.9\.0\.2 tell 10\.9\.0\.2, length 28$/,
      );
      await heard.line(
        /^0a:58:0a:09:00:02 > 33:33:00:00:00:01, .* fd00:9::2 > ff02::1: .*neighbor advertisement, tgt is fd00:9::2/,
      );
      for (const pod of pods) pod[Symbol.dispose]();
    }
  });
});

function portOp(name: string, mac?: string): Op {
  const peer = { ns: 'sandbox', name: 'eth0', ...(mac === undefined ? {} : { mac }) } as const;
  return { op: 'link.create', ns: 'host', name, link: { kind: 'veth', peer }, master: 'br0' };
}

function up(ns: 'host' | 'sandbox', name: string): Op {
  return { op: 'link.set', ns, name, set: { up: true } };
}

/** The ARP and ICMPv6 traffic on the link of a pod; `line` waits for a match. */
async function listen(pod: TestNetns): Promise<Disposable & { line(pattern: RegExp): Promise<void> }> {
  const dump = spawn(
    'nsenter',
    [`--net=${pod.path}`, 'tcpdump', '-e', '-t', '-nn', '-l', '-i', 'eth0', 'arp or icmp6'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines = createInterface({ input: dump.stdout });
  // A frame that does not come fails the test, and tcpdump ends with it.
  const heard = on(lines, 'line', { signal: AbortSignal.timeout(10_000) });
  // Read to its end: without a reader, what tcpdump says besides would end it.
  await new Promise<void>((resolve) => {
    dump.stderr.on('data', (chunk: Buffer) => {
      if (/listening on/.test(String(chunk))) resolve();
    });
  });
  return {
    line: async (pattern) => {
      for await (const [line] of heard) if (pattern.test(String(line))) return;
    },
    [Symbol.dispose]: () => void dump.kill(),
  };
}
