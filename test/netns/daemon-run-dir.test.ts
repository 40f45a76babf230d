import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';
import { DECLINE } from '../../src/shared/runtime/cni/protocol.ts';
import { netnsMissing } from '../support/netns.ts';
import { makeServeSite, type ServeSite } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

describe("the daemon's run directory", () => {
  let site: ServeSite;
  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeServeSite();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const mode = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);

  /** The first byte of the answer to what is no request. */
  async function answerOf(path: string): Promise<number | undefined> {
    const connection = connect(path);
    connection.end('no request at all, but as long as the header of one is');
    const [bytes]: Buffer[] = await once(connection, 'data');
    connection.destroy();
    return bytes?.[0];
  }

  it('is created for its owner only, with a socket for its owner only', async () => {
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    assert.deepEqual(readdirSync(site.runDir).sort(), ['cni.sock', 'control.sock', 'docker.sock', 'lock']);
    assert.deepEqual([mode(site.runDir), mode(site.socket), mode(join(site.runDir, 'lock'))], ['700', '600', '600']);
    assert.equal(await answerOf(site.socket), DECLINE);
  });

  it('is closed to others when it was open to them', async () => {
    mkdirSync(site.runDir);
    chmodSync(site.runDir, 0o777);
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    assert.equal(mode(site.runDir), '700');
  });

  const refusals: readonly [what: string, make: (site: ServeSite) => void, message: RegExp][] = [
    ['a symbolic link', ({ root, runDir }) => symlinkSync(root, runDir), /directory \S+\/run: is a symbolic link/],
    ['a file', ({ runDir }) => writeFileSync(runDir, ''), /directory \S+\/run: is not a directory/],
    [
      "somebody else's",
      ({ runDir }) => {
        mkdirSync(runDir);
        chownSync(runDir, 12345, 0);
      },
      /directory \S+\/run: belongs to user 12345/,
    ],
    [
      'one whose lock is a symbolic link',
      ({ root, runDir }) => {
        mkdirSync(runDir);
        symlinkSync(join(root, 'elsewhere'), join(runDir, 'lock'));
      },
      /file \S+\/run\/lock: it cannot be opened/,
    ],
    [
      'one with something else in the place of the socket',
      ({ runDir, socket }) => {
        mkdirSync(runDir);
        writeFileSync(socket, 'precious');
      },
      /path \S+\/cni\.sock: is not a socket/,
    ],
  ];
  for (const [what, make, message] of refusals)
    it(`is refused when it is ${what}`, async () => {
      make(site);
      const before = namesBelow(site.root).filter((name) => !name.startsWith('state'));
      using daemon = site.start();
      assert.equal(await daemon.end, 1);
      assert.match(daemon.lines.at(-1) ?? '', /level=error event=daemon\.failed/);
      assert.match(daemon.lines.at(-1) ?? '', message);
      const after = namesBelow(site.root).filter((name) => !/^state|run\/lock$/.test(name));
      assert.deepEqual(
        after,
        before.filter((name) => !/run\/lock$/.test(name)),
      );
      if (existsSync(site.socket)) assert.equal(readFileSync(site.socket, 'utf8'), 'precious');
    });

  it('belongs to one daemon at a time, which keeps running', async () => {
    using first = site.start();
    await first.line(/event=daemon\.start/);
    using second = site.start();
    assert.equal(await second.end, 1);
    assert.match(second.lines.at(-1) ?? '', /level=error .*\/run: another daemon serves here\. Stop it/);
    assert.equal(await answerOf(site.socket), DECLINE);
    first.process.kill('SIGTERM');
    assert.equal(await first.end, 0);
    using third = site.start();
    await third.line(/event=daemon\.start/);
  });

  it('belongs to one of several daemons that start at once', async () => {
    const daemons = Array.from({ length: 4 }, () => site.start());
    try {
      const started = daemons.map(({ line }, index) => line(/event=daemon\.start/).then(() => index));
      const winner = await Promise.any(started);
      await Promise.allSettled(started.filter((_, index) => index !== winner));
      const losers = daemons.filter((_, index) => index !== winner);
      assert.deepEqual(await Promise.all(losers.map(({ end }) => end)), [1, 1, 1]);
      assert.equal(await answerOf(site.socket), DECLINE);
    } finally {
      for (const daemon of daemons) daemon[Symbol.dispose]();
    }
  });

  it('is reused after a daemon was killed, and its socket replaced', async () => {
    using first = site.start();
    await first.line(/event=daemon\.start/);
    first.process.kill('SIGKILL');
    assert.equal(await first.end, 'SIGKILL');
    assert.ok(existsSync(site.socket));
    using second = site.start();
    await second.line(/event=daemon\.start/);
    assert.equal(await answerOf(site.socket), DECLINE);
  });

  it('is left to another listener, such as systemd before it starts a daemon', async () => {
    mkdirSync(site.runDir, { mode: 0o700 });
    const server = createServer((connection) => connection.on('error', () => {}).end('other'));
    server.listen(site.socket);
    await once(server, 'listening');
    try {
      using daemon = site.start();
      assert.equal(await daemon.end, 1);
      assert.match(daemon.lines.at(-1) ?? '', /cni\.sock: another process already listens on it/);
      assert.equal(await answerOf(site.socket), 'o'.charCodeAt(0));
    } finally {
      server.close();
    }
  });
});

/** Paths below the directory, without what symbolic links lead to. */
function namesBelow(root: string): string[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return entries.map(({ parentPath, name }) => relative(root, join(parentPath, name)));
}
