import { strict as assert } from 'node:assert';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceDir } from '../support/cni.ts';
import { makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';
import { ping } from '../support/ping.ts';
import { assertSame } from '../support/snapshot.ts';
import { installedFile, VIA } from '../support/via.ts';

/** How an administrator may have put the executable into a plugin directory, beside symbolic links. */
const WAYS: readonly [string, (name: string) => void][] = [
  ['copies of the executable', (path) => copyFileSync(installedFile(VIA), path)],
  ['hard links to one copy', (path) => linkCopy(path)],
];

function linkCopy(path: string): void {
  const first = join(path, '..', '.first');
  try {
    linkSync(first, path);
  } catch {
    copyFileSync(installedFile(VIA), first);
    linkSync(first, path);
  }
}

describe('executables that are copies instead of symbolic links', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'isth-copy-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  for (const [title, install] of WAYS) {
    it(`${title}: bridge calls host-local without deadlock`, () => {
      for (const name of ['bridge', 'host-local']) install(join(dir, name));
      using host = makeHost(1);
      const before = host.snapshot();
      const config = bridgeConf('bridge', host);
      const call = { dir, name: 'bridge', pod: 0, config, timeout: 5000 };
      const prevResult = host.ok({ ...call, command: 'ADD' });
      host.ok({ ...call, command: 'CHECK', config: { ...config, prevResult } });
      host.ok({ ...call, command: 'DEL' });
      assertSame(withoutState(host.snapshot()), withoutState(before));
    });
  }

  it("the reference's bridge calls our host-local, and our bridge the reference's", () => {
    const ours = join(dir, 'ours');
    mkdirSync(ours);
    copyFileSync(installedFile(VIA), join(ours, 'host-local'));
    copyFileSync(installedFile(VIA), join(ours, 'isthmus'));
    using host = makeHost(2);
    const config = bridgeConf('bridge', host);
    for (const call of [
      { dir: referenceDir, name: 'bridge', pod: 0, config, path: ours },
      { dir: ours, name: 'isthmus', pod: 1, config: { ...config, type: 'isthmus' }, path: referenceDir },
    ]) {
      const prevResult = host.ok({ ...call, command: 'ADD' });
      assert.equal(prevResult.ips?.length, 1);
      host.ok({ ...call, command: 'CHECK', config: { ...call.config, prevResult } });
      ping(host.pod(call.pod), '10.88.0.1');
      host.ok({ ...call, command: 'DEL' });
    }
  });
});

function withoutState(text: string): string {
  return text.split('## state')[0] ?? '';
}
