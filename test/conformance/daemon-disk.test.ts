import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

/** The state directory is a separate file system of 16 MB, which a test fills. */
describe('the daemon on a full disk', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;
  let mounted = false;

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { conf: PUBLISHING });
    mkdirSync(site.host.stateDir, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'isth', site.host.stateDir]);
    mounted = true;
    await site.start();
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
  });
  after(() => {
    if (mounted) execFileSync('umount', ['--lazy', site.host.stateDir]);
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });
  afterEach(() => give());

  const filler = () => join(site.host.stateDir, 'filler');
  const give = () => rmSync(filler(), { force: true });
  /** So many pages of 4 kB are free, and no more. */
  const leave = (pages: number) => {
    const fd = openSync(filler(), 'w');
    const piece = Buffer.alloc(4096, 'x');
    let written = 0;
    for (const { bfree } = statfsSync(site.host.stateDir); written < bfree; written++) writeSync(fd, piece);
    closeSync(fd);
    truncateSync(filler(), (written - pages) * 4096);
  };
  const noLink = (what: string) => {
    assert.doesNotMatch(site.host.pod(0).ip('-br', 'link'), /eth0/, what);
    assert.equal(site.host.ns.ip('-o', 'link', 'show', 'type', 'veth'), '', what);
  };
  const works = (what: string) => {
    const served = site.daemon.served('ADD');
    assertSame(site.host.snapshot(), clean, what);
    site.ok('ADD');
    site.ok('DEL');
    assert.equal(site.daemon.served('ADD'), served + 1, what);
    assertSame(site.host.snapshot(), clean, `${what}; again`);
  };

  it('ADD succeeds, or fails with an error that says so and leaves nothing; it works once there is space', () => {
    const failures: string[] = [];
    for (const pages of [0, 1, 2, 4, 6, 9, 13, 18]) {
      const what = `${pages} pages are left`;
      fold();
      leave(pages);
      const { code, json, stdout, stderr } = site.run('ADD');
      if (code !== 0) {
        assert.ok([5, 106].includes(json?.code ?? 0), `${what}: ${stdout}${stderr}`);
        failures.push(json?.msg ?? '');
        noLink(what);
      }
      give();
      site.ok('DEL');
      works(what);
    }
    assert.ok(failures.length > 1, 'a full disk was noticed');
    for (const words of failures) assert.match(words, /full|space|ENOSPC/i);
  });

  it('DEL deletes the interface; the next DEL deletes the rest', () => {
    for (const pages of [0, 1, 3, 6]) {
      const what = `${pages} pages are left`;
      site.ok('ADD');
      fold();
      leave(pages);
      const { code, json, stdout } = site.run('DEL');
      assert.ok(code === 0 || [5, 106].includes(json?.code ?? 0), `${what}: ${stdout}`);
      noLink(what);
      give();
      site.ok('DEL');
      works(what);
    }
  });

  it('DEL succeeds once all of the pod is gone, repeated too; the next call frees the address', () => {
    site.ok('ADD');
    leave(0);
    for (const what of ['on a full disk', 'again']) {
      site.ok('DEL');
      noLink(what);
    }
    give();
    site.ok('DEL');
    works('once there is space');
  });

  it('a daemon that started on a full disk serves once there is space', async () => {
    site.ok('ADD');
    await site.daemon.end('SIGKILL');
    leave(0);
    await site.start();
    noAddress(site.run('ADD', { pod: 1, config: { ...site.config, runtimeConfig: {} } }).code);
    give();
    site.ok('DEL', { pod: 1 });
    site.ok('DEL');
    works('started on a full disk');
  });

  function noAddress(code: number | null): void {
    if (code !== 0) assert.doesNotMatch(site.host.pod(1).ip('-br', 'link'), /eth0/);
  }

  /** Empties the database log, so that every write needs space. */
  function fold(): void {
    const db = new DatabaseSync(join(site.host.stateDir, 'state.db'), { timeout: 5000 });
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
  }
});

const PUBLISHING = {
  ipMasq: true,
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};
