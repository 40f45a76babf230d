import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Suite } from 'mocha';
import { type DaemonBin, daemonBin, until } from './daemon-site.ts';
import { etcdMissing } from './etcd.ts';
import { type Member, makeOverlay, type Overlay, type OverlaySetup } from './overlay-site.ts';
import { assertTables, contentKeys, devicesOf, keysOf } from './overlay-tables.ts';
import { canPing } from './ping.ts';
import { skipIf } from './skip.ts';
import { zooKeeperMissing } from './zookeeper.ts';

/** What tests of one set of hosts have. */
export interface OverlayLab {
  readonly overlay: Overlay;
  readonly members: readonly Member[];
  /** Host `index`. */
  host(index: number): Member;
}

/**
 * Describes tests of hosts that live as long as the block, and have joined before its first test. After each test that
 * passed, the tables of all hosts say what etcd says.
 */
export function describeOverlay(title: string, setup: OverlaySetup, tests: (lab: OverlayLab) => void): Suite {
  return describe(title, function () {
    this.timeout(60_000);
    let bin: DaemonBin | undefined;
    let overlay: Overlay | undefined;
    before(async function () {
      skipIf(this, setup.zooKeeper === undefined ? etcdMissing() : zooKeeperMissing());
      bin = daemonBin();
      overlay = await makeOverlay(bin, setup);
      await Promise.all(overlay.members.map((member) => member.start()));
      await allReady(overlay);
    });
    afterEach(async function () {
      if (overlay === undefined || this.currentTest?.isPending()) return;
      if (this.currentTest?.state === 'failed') show(overlay);
      else await assertTables(overlay);
    });
    after(async () => {
      await overlay?.[Symbol.asyncDispose]();
      bin?.[Symbol.dispose]();
    });
    const made = (): Overlay => overlay ?? assert.fail('no hosts');
    tests({
      get overlay() {
        return made();
      },
      get members() {
        return made().members;
      },
      host: (index) => made().members[index] ?? assert.fail(`no host ${index}`),
    });
  });
}

/** All hosts have joined and put all that they hold. */
export async function allReady(overlay: Overlay, seconds = 20): Promise<void> {
  const ready = (): number =>
    [...keysOf(overlay)].filter(([key, value]) => key.startsWith('up/') && value.includes('"isReady":true')).length;
  await until(() => ready() === overlay.members.length, 'all hosts have joined', seconds);
}

/** The pod reaches the address within some seconds. */
export async function reaches(member: Member, pod: number, address: string, seconds = 10): Promise<void> {
  const from = member.site.host.pod(pod);
  const end = Date.now() + seconds * 1000;
  while (!canPing(from, address)) {
    if (Date.now() > end) assert.fail(`pod ${pod} of ${member.name} does not reach ${address} within ${seconds} s`);
    await sleep(50);
  }
}

/** The pods with these addresses, one on each host, reach each other. */
export async function reachEachOther(members: readonly Member[], pod: number, addresses: readonly string[]) {
  for (const [i, member] of members.entries())
    for (const [j, address] of addresses.entries()) if (i !== j) await reaches(member, pod, address);
}

/** No key of a network is left in etcd, and no device on any host. */
export async function assertGone(overlay: Overlay): Promise<void> {
  await until(() => contentKeys(overlay).length === 0, 'no key is left', 10).catch(() =>
    assert.deepEqual(contentKeys(overlay), []),
  );
  for (const { name, site } of overlay.members) assert.deepEqual(devicesOf(site.host.ns), [], name);
}

function show({ members }: Overlay): void {
  for (const { name, site } of members) {
    const commands = 'ip -o -d link; ip -o addr; bridge fdb; ip neigh; ip route; ip -6 route';
    const pod = site.host.pod(0).run('sh', '-c', 'ip -o addr; ip route; ip -6 route; ip neigh');
    console.log(`--- ${name}\n${site.daemon.log().slice(-5000)}`, site.host.ns.run('sh', '-c', commands), pod);
  }
}
