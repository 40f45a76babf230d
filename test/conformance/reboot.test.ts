import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { type PluginDir, type PluginRun, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { BRIDGE_TYPES, type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { makeNetns, removeNetns, type TestNetns } from '../support/netns.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';
import { unlikeReference } from './unlike-reference.ts';

const SMALL = { ranges: [[{ subnet: '10.88.0.0/24', rangeEnd: '10.88.0.4' }]] };

describe('after a reboot', function () {
  this.timeout(60_000);
  let bin: PluginDir;
  let host: CniHost;
  let config: NetConf;
  let dir: string;

  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(4);
    dir = mkdtempSync(join(tmpdir(), 'isth-boot-'));
    config = bridgeConf('isthmus', host, { ipam: SMALL });
  });
  afterEach(() => {
    host?.[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  const how = (command: 'ADD' | 'DEL' | 'CHECK' | 'STATUS', pod: number) => ({
    dir: bin.path,
    name: 'isthmus',
    command,
    pod,
    config,
    env: { ISTHMUS_HOST_ID: 'reboot-test' },
  });

  /** Calls are made in a mount namespace where the kernel shows another boot id. */
  function boot(): readonly string[] {
    const file = join(dir, randomUUID());
    writeFileSync(file, `${randomUUID()}\n`);
    const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
    return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, file];
  }

  /** A reboot's effect on the kernel: links disappear, pods are other namespaces. */
  function loseLinks(): void {
    for (const pod of host.pods) if (pod.ip('-br', 'link').includes('eth0')) pod.ip('link', 'del', 'eth0');
    if (host.ns.ip('-br', 'link').includes('isth0')) host.ns.ip('link', 'del', 'isth0');
  }

  /** The last of three addresses is leased, the host boots again, and a pod is added. */
  function addAfterReboot(plugin: { dir: string; name: BridgeType }): PluginRun {
    const own = { ...how('ADD', 0), ...plugin, config: bridgeConf(plugin.name, host, { ipam: SMALL }) };
    const first = boot();
    for (const pod of [0, 1, 2]) host.ok({ ...own, pod, prefix: first });
    assert.equal(host.run({ ...own, pod: 3, prefix: first }).code, 1);
    loseLinks();
    return host.run({ ...own, pod: 3, prefix: boot() });
  }

  it('frees all leases of the previous boot, keeps networks, and accepts the same container again', () => {
    const first = boot();
    const before = [0, 1, 2].map((pod) => host.ok({ ...how('ADD', pod), prefix: first }).ips?.[0]?.address);
    assert.equal(new Set(before).size, 3);
    const full = host.run({ ...how('ADD', 3), prefix: first });
    assert.notEqual(full.code, 0, 'the pool is exhausted');
    loseLinks();
    const second = boot();
    const status = { ...how('STATUS', 0), config: { ...config, cniVersion: '1.1.0' }, prefix: second };
    host.ok(status);
    const after = [3, 0, 1].map((pod) => host.ok({ ...how('ADD', pod), prefix: second }).ips?.[0]?.address);
    assert.deepEqual(new Set(after), new Set(before), 'all three addresses were free');
    ping(host.pod(0), '10.88.0.1');
    assert.equal(host.run(status).json?.code, 50, 'and are leased again');
  });

  unlikeReference('D19', 'a pool that was full', {
    reference: () => {
      const { code, json } = addAfterReboot({ dir: referenceDir, name: 'bridge' });
      assert.equal(code, 1);
      assert.match(json?.msg ?? '', /no IP addresses available/);
    },
    ours: Object.fromEntries(
      BRIDGE_TYPES.map((name) => [
        name,
        () => {
          const { code, stdout } = addAfterReboot({ dir: bin.path, name });
          assert.equal(code, 0, stdout);
        },
      ]),
    ),
  });

  it('a late DEL for the previous boot deletes nothing of this boot', () => {
    const first = boot();
    host.ok({ ...how('ADD', 0), prefix: first });
    loseLinks();
    const second = boot();
    const kept = host.ok({ ...how('ADD', 1), prefix: second });
    const state = host.snapshot();
    host.ok({ ...how('DEL', 0), prefix: second });
    assertSame(host.snapshot(), state);
    host.ok({ ...how('CHECK', 1), config: { ...config, prevResult: kept }, prefix: second });
  });

  it('the first ADD creates the bridge, and the last DEL deletes it', () => {
    const first = boot();
    host.ok({ ...how('ADD', 0), prefix: first });
    loseLinks();
    const second = boot();
    host.ok({ ...how('DEL', 0), prefix: second });
    const kept = host.ok({ ...how('ADD', 0), prefix: second });
    host.ok({ ...how('CHECK', 0), config: { ...config, prevResult: kept }, prefix: second });
    host.ok({ ...how('DEL', 0), prefix: second });
    assert.doesNotMatch(host.ns.ip('-br', 'link'), /isth0/);
  });

  for (const [saved, used] of [
    ['nftables', 'nftables'],
    ['iptables', 'nftables'],
    ['nftables', 'iptables'],
    ['iptables', 'iptables'],
  ] as const) {
    it(`the first call deletes ${saved} rules that were saved and loaded, before a pod with ${used} takes the port`, () => {
      const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
      const published = (backend: string) => ({
        config: { ...config, ipMasq: true, firewall: { backend }, runtimeConfig },
      });
      const first = boot();
      host.ok({ ...how('ADD', 0), ...published(saved), prefix: first });
      const [save, restore] =
        saved === 'nftables' ? ['nft -s list ruleset', 'nft -f'] : ['iptables-save', 'iptables-restore'];
      const file = join(dir, 'rules');
      writeFileSync(file, host.ns.run('sh', '-c', save));
      loseLinks();
      host.ns.run('nft', 'flush', 'ruleset');
      host.ns.run('sh', '-c', `${restore} ${file}`);
      const second = boot();
      host.ok({ ...how('ADD', 1), prefix: second });
      const result = host.ok({ ...how('ADD', 2), ...published(used), prefix: second });
      const address = result.ips?.[0]?.address?.split('/')[0] ?? '';
      const rules = host.ns.run('nft', 'list', 'ruleset');
      assert.ok(rules.includes(address));
      host.ok({ ...how('DEL', 2), ...published(used), prefix: second });
      host.ok({ ...how('DEL', 1), prefix: second });
      assert.doesNotMatch(host.ns.run('nft', 'list', 'ruleset'), /isthmus/i);
    });
  }

  it('host-local files of this boot count as leases', () => {
    fillDirectory(host, new Date());
    const refused = host.run(how('ADD', 0));
    assert.notEqual(refused.code, 0);
    assert.match(refused.json?.msg ?? '', /10\.88\.0\./);
  });

  it('host-local files from before the boot do not count as leases', () => {
    fillDirectory(host, new Date(Date.now() - uptime() * 1000 - 3_600_000));
    assert.equal(host.ok(how('ADD', 0)).ips?.length, 1);
  });

  it('a namespace with a reused inode number is not confused with the earlier one', function () {
    // On a busy machine another process may get the number, so one attempt is not enough.
    let old = host.pods.length;
    let successor: TestNetns | undefined;
    for (; successor === undefined && old < 10; old++) {
      const { name, path } = host.addPod();
      host.ok(how('ADD', old));
      successor = recycle(name, path, statSync(path).ino);
      if (successor === undefined) host.ok(how('DEL', old));
    }
    old--;
    if (successor === undefined) {
      console.log('skipped: the kernel did not use the inode number again');
      this.skip();
    }
    using _gone = successor;
    host.ok({ ...how('ADD', old), containerId: 'successor', config: { ...config, name: 'other', bridge: 'isth1' } });
    const theirs = successor.ip('-o', 'link', 'show', 'eth0');
    host.ok(how('DEL', old));
    assert.equal(successor.ip('-o', 'link', 'show', 'eth0'), theirs, 'the new interface is still there');
    const leases = [1, 2, 3].map((pod) => host.ok(how('ADD', pod)).ips?.[0]?.address);
    assert.equal(new Set(leases).size, 3, 'the old lease is free');
  });
});

/** The namespace is gone and a new one has its path and inode number; undefined where the kernel does not recur. */
function recycle(name: string, path: string, inode: number): TestNetns | undefined {
  removeNetns(name);
  const others: TestNetns[] = [];
  try {
    for (let i = 0; i < 40; i++) {
      const made = makeNetns('r');
      if (statSync(made.path).ino === inode) return boundTo(path, name, made);
      others.push(made);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); // the kernel frees namespaces in its own time
    }
    return undefined;
  } finally {
    for (const other of others) other[Symbol.dispose]();
  }
}

/** The namespace has `path` as another path; both are gone on dispose. */
function boundTo(path: string, name: string, made: TestNetns): TestNetns {
  writeFileSync(path, '');
  execFileSync('mount', ['--bind', made.path, path]);
  const dispose = (): void => {
    removeNetns(name);
    made[Symbol.dispose]();
  };
  return { ...made, path, [Symbol.dispose]: dispose };
}

/** Files that the reference's host-local could have left hold all three addresses of the pool. */
function fillDirectory(host: CniHost, written: Date): void {
  const dir = join(host.dataDir, 'web');
  mkdirSync(dir, { recursive: true });
  for (const [i, text] of ['old\r\neth0', 'older\r\neth0', 'oldest'].entries()) {
    const file = join(dir, `10.88.0.${i + 2}`);
    writeFileSync(file, text);
    utimesSync(file, written, written);
  }
}
