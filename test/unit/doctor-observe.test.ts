import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listeningDaemons, neededModules, observeKernel } from '../../src/shared/ops/doctor/observe-system.ts';
import type { NetworkRow } from '../../src/shared/store/store.ts';
import { healthyEndpoint, healthyNetwork, healthyView, linkOf } from '../support/doctor-facts.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const RELEASE = '6.1.0-test';

describe('doctor: what it reads of the system', () => {
  let root: TempDir;

  beforeEach(() => {
    root = makeTempDir();
  });
  afterEach(() => root[Symbol.dispose]());

  function write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const path = join(root.path, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  const overlay: NetworkRow = { ...healthyNetwork().row, driver: 'overlay' };
  const missing = (rows: readonly NetworkRow[] = [overlay]): readonly string[] =>
    observeKernel(root.path, healthyView(), rows, [healthyEndpoint()]).missingModules;

  it('names modules that records need and the kernel lacks', () => {
    const shaping = { hostIf: 'vetha', ifb: 'ifb1', mtu: 1500 };
    const parts = [{ ...healthyEndpoint(), shaping }];
    assert.deepEqual([...neededModules([overlay], parts)].sort(), ['bridge', 'ifb', 'sch_tbf', 'veth', 'vxlan']);
    assert.deepEqual(missing(), [], 'nothing is known of this kernel');
    const lists = {
      'proc/sys/kernel/osrelease': `${RELEASE}\n`,
      [`lib/modules/${RELEASE}/modules.builtin`]: 'kernel/net/bridge/bridge.ko\n',
    };
    write({ ...lists, [`lib/modules/${RELEASE}/modules.dep`]: 'kernel/net/sched/sch_tbf.ko.xz:\n' });
    assert.deepEqual(missing(), ['vxlan']);
    write({ 'proc/modules': 'vxlan 131072 0 - Live 0x0\n' });
    assert.deepEqual(missing(), [], 'loaded');
    write({
      'proc/modules': '',
      [`lib/modules/${RELEASE}/modules.dep`]:
        'kernel/drivers/net/vxlan/vxlan.ko.zst: kernel/net/ipv6/ip6_udp_tunnel.ko.zst\n',
    });
    assert.deepEqual(missing(), [], 'loadable');
  });

  it('reads the tables of connections and neighbours', () => {
    const sysctls = new Map([
      ...[['net/netfilter/nf_conntrack_count', '12'] as const, ['net/netfilter/nf_conntrack_max', '100'] as const],
      ...[
        ['net/ipv4/neigh/default/gc_thresh2', '512'] as const,
        ['net/ipv4/neigh/default/gc_thresh3', '1024'] as const,
      ],
    ]);
    write({
      'proc/net/stat/arp_cache': 'entries  allocs destroys\n000003fe  00000000 00000000\n000003fe  00000000 00000000\n',
    });
    const { conntrack, neighbours } = observeKernel(root.path, { ...healthyView(), sysctls }, [], []);
    assert.deepEqual(conntrack, { count: 12, max: 100 });
    assert.deepEqual(neighbours, [{ family: 4, count: 1022, soft: 512, hard: 1024 }]);
    assert.deepEqual(
      observeKernel(root.path, healthyView(), [], []).neighbours,
      [],
      'another namespace has no thresholds',
    );
  });

  it('finds the sockets that daemons listen on', () => {
    const line = (flags: string, path: string): string =>
      `0000000000000000: 00000002 00000000 ${flags} 0001 01 4242 ${path}`;
    write({
      'proc/net/unix': [
        'Num       RefCount Protocol Flags    Type St Inode Path',
        line('00010000', '/run/b/cni.sock'),
        line('00010000', '/run/a/cni.sock'),
        line('00010000', '/run/a/cni.sock'),
        line('00000000', '/run/c/cni.sock'),
        line('00010000', '/run/docker.sock'),
        '0000000000000000: 00000002 00000000 00010000 0001 01 4243',
      ].join('\n'),
    });
    assert.deepEqual(listeningDaemons(root.path), ['/run/a/cni.sock', '/run/b/cni.sock']);
    assert.deepEqual(listeningDaemons('/nonexistent'), []);
  });

  it('takes a link of a kind as proof of its module', () => {
    const lists = {
      'proc/sys/kernel/osrelease': RELEASE,
      [`lib/modules/${RELEASE}/modules.builtin`]: '',
      [`lib/modules/${RELEASE}/modules.dep`]: '',
    };
    write(lists);
    const links = new Map([...healthyView().links, ['vx0', linkOf('vx0', { kind: 'vxlan' })] as const]);
    assert.deepEqual(
      observeKernel(root.path, { ...healthyView(), links }, [overlay], [healthyEndpoint()]).missingModules,
      [],
    );
  });
});
