import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PROTOCOL_VERSION } from '../../src/shared/runtime/cni/protocol.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NEXT = PROTOCOL_VERSION + 1;

/** In the middle of an upgrade, launcher and daemon are of two releases: the sources with another version number. */
describe('launcher and daemon of different protocol versions', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let tree: TempDir;
  let site: DaemonSite;
  let clean: string;

  before(() => {
    bin = daemonBin();
    tree = makeTempDir();
    for (const part of ['cmd', 'src', 'build', 'package.json'])
      cpSync(join(ROOT, part), join(tree.path, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(tree.path, 'node_modules'));
    const file = join(tree.path, 'src/shared/runtime/cni/protocol.ts');
    const text = readFileSync(file, 'utf8');
    const changed = text.replace(/(?<=PROTOCOL_VERSION = )\d+/, String(NEXT));
    assert.notEqual(changed, text);
    writeFileSync(file, changed);
    mkdirSync(join(bin.path, 'next'));
    symlinkSync('../cni-plugin', join(bin.path, 'next/cni-plugin'));
    const build = `import { buildLauncher } from './build/launcher.ts'; buildLauncher(${JSON.stringify(nextLauncher())});`;
    execFileSync(process.execPath, ['--input-type=module', '-e', build], { cwd: tree.path });
  });
  after(() => {
    tree?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });
  beforeEach(() => {
    site = makeSite(bin, { pods: 1 });
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const nextLauncher = () => join(bin.path, 'next', 'isthmus');
  const next = () => ({ dir: join(bin.path, 'next') });
  const start = (program?: readonly string[]) =>
    site.start({ env: { ISTHMUS_LOG: 'debug' }, ...(program === undefined ? {} : { program }) });
  const nextDaemon = () => [process.execPath, '--no-warnings', join(tree.path, 'cmd/cnm-shim/main.ts')];

  /** Every command is answered, once, by the stand-alone plugin. */
  const alone = (call: { readonly dir?: string }, why: RegExp) => {
    const prevResult = site.ok('ADD', call);
    assert.equal(site.host.ns.ip('-o', 'link', 'show', 'type', 'veth').trim().split('\n').length, 1);
    assert.equal(site.host.snapshot().match(/^leases /gm)?.length, 1);
    site.ok('CHECK', { ...call, config: { ...site.config, prevResult } });
    site.ok('STATUS', { ...call, config: { ...site.config, cniVersion: '1.1.0' } });
    site.ok('DEL', call);
    assertSame(site.host.snapshot(), clean);
    for (const command of ['ADD', 'CHECK', 'STATUS', 'DEL'] as const) assert.equal(site.daemon.served(command), 0);
    const declined = site.daemon
      .log()
      .split('\n')
      .filter((line) => line.includes('event=declined'));
    assert.equal(declined.length, 4);
    for (const line of declined) assert.match(line, why);
  };

  it('a newer launcher with this daemon: the plugin serves', async () => {
    await start();
    alone(next(), new RegExp(`launcher speaks version ${NEXT}, the daemon ${PROTOCOL_VERSION}`));
  });

  it('this launcher with a newer daemon: the plugin serves', async () => {
    await start(nextDaemon());
    alone({}, new RegExp(`launcher speaks version ${PROTOCOL_VERSION}, the daemon ${NEXT}`));
  });

  it('a newer daemon deletes the pods of the old one, through a launcher of each version', async () => {
    await start();
    site.ok('ADD');
    await site.daemon.end();
    await start(nextDaemon());
    site.ok('DEL', next());
    assert.equal(site.daemon.served('DEL'), 1);
    site.ok('ADD', next());
    assert.equal(site.daemon.served('ADD'), 1);
    site.ok('DEL');
    assert.equal(site.daemon.served('DEL'), 1);
    assertSame(site.host.snapshot(), clean);
  });
});
