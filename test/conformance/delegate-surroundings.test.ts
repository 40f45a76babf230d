import { strict as assert } from 'node:assert';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { STDERR_BYTES } from '../../cmd/cnm-shim/cni/collected-stderr.ts';
import type { PluginRun } from '../support/cni.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, type SiteCall } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';

/** An IPAM plugin that writes down its environment, says `$SAYS` on stderr, and fails an ADD where `$FAILS` is set. */
const DELEGATE = `#!/bin/sh
cat >/dev/null
tr '\\0' '\\n' </proc/$$/environ >"$0.$CNI_COMMAND"
umask >"$0.umask"
printf "$SAYS" "$CNI_COMMAND" >&2
if [ "$CNI_COMMAND" = ADD ] && [ -n "$LENGTH" ]; then head -c "$LENGTH" /dev/zero | tr '\\0' x >&2; fi
if [ "$CNI_COMMAND" = ADD ] && [ -n "$FAILS" ]; then exit 1; fi
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.99.0.2/24"}]}'
`;

/** What the environment of a caller may hold; Node inside the plugin would end for this NODE_OPTIONS. */
const CALLERS = {
  ...{ SITE: 'a=b', HTTP_PROXY: 'http://proxy.example:3128', EMPTY: '', LC_ALL: 'C.UTF-8', WORDS: 'ä ö\n' },
  ...{ NODE_OPTIONS: '--no-such-option', NODE_PATH: '/x', TRACEPARENT: '00-1-2-3' },
};

const WAYS = {
  'the plugin itself': { name: 'cni-plugin', daemon: false },
  'the launcher without a daemon': { name: 'isthmus', daemon: false },
  'the daemon': { name: 'isthmus', daemon: true },
} as const;

describe('environment and stderr of a delegate', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(() => {
    bin = daemonBin();
    writeFileSync(join(bin.path, 'teller'), DELEGATE);
    chmodSync(join(bin.path, 'teller'), 0o755);
  });
  after(() => bin?.[Symbol.dispose]());
  afterEach(() => site?.[Symbol.dispose]());

  for (const [title, { name, daemon }] of Object.entries(WAYS))
    describe(`by ${title}`, () => {
      beforeEach(async () => {
        site = makeSite(bin, { pods: 1 });
        for (const command of ['ADD', 'CHECK', 'DEL']) rmSync(join(bin.path, `teller.${command}`), { force: true });
        if (daemon) await site.start({ env: { DAEMONS: 'own' } });
        site.ok('ADD', withEnv({}));
        site.ok('DEL', withEnv({}));
        clean = site.host.snapshot();
      });

      const withEnv = (env: Readonly<Record<string, string>>): SiteCall => {
        const { ipam: _, ...layer2 } = site.config;
        return { name, env, config: { ...layer2, ipam: { type: 'teller' } } };
      };
      const served = (command: 'ADD' | 'DEL'): number => (daemon ? site.daemon.served(command) : 0);
      const environmentOf = (command: string): ReadonlyMap<string, string> => {
        const file = join(bin.path, `teller.${command}`);
        assert.ok(existsSync(file), `the delegate was called with ${command}`);
        // Variables that a shell adds to its own environment are not in /proc.
        const entries = readFileSync(file, 'utf8').split(/\n(?=[A-Za-z_@]+=)/);
        return new Map(
          entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
        );
      };

      it('passes every variable of the caller unchanged, and no other', () => {
        const prevResult = site.ok('ADD', withEnv(CALLERS));
        const call = withEnv(CALLERS);
        site.ok('CHECK', { ...call, config: { ...(call.config as object), prevResult } });
        site.ok('DEL', call);
        if (daemon) assert.deepEqual([served('ADD'), served('DEL')], [2, 2]);
        for (const command of ['ADD', 'CHECK', 'DEL']) {
          const env = environmentOf(command);
          assert.equal(env.get('CNI_COMMAND'), command);
          for (const [key, value] of Object.entries(CALLERS)) assert.equal(env.get(key)?.trim(), value.trim(), key);
          const others = [...env.keys()].filter((key) => !Object.hasOwn(CALLERS, key) && !/^(CNI_|ISTHMUS_)/.test(key));
          assert.deepEqual(others, ['PATH'], command);
        }
        assertSame(site.host.snapshot(), clean);
      });

      it('has the file mode creation mask of the caller', () => {
        const own = process.umask(0o037);
        try {
          site.ok('ADD', withEnv({}));
        } finally {
          process.umask(own);
        }
        assert.equal(readFileSync(join(bin.path, 'teller.umask'), 'utf8'), '0037\n');
        site.ok('DEL', withEnv({}));
        assert.equal(Number.parseInt(readFileSync(join(bin.path, 'teller.umask'), 'utf8'), 8), own);
        assertSame(site.host.snapshot(), clean);
      });

      it('connects stderr to that of the caller, whether the delegate succeeds or fails', () => {
        const said = (run: PluginRun): unknown => ({ code: run.code, stderr: run.stderr });
        const add = site.run('ADD', withEnv({ SAYS: 'ä %s\\n' }));
        assert.deepEqual(said(add), { code: 0, stderr: 'ä ADD\n' }, add.stdout);
        const del = site.run('DEL', withEnv({ SAYS: 'bye %s\\n' }));
        assert.deepEqual(said(del), { code: 0, stderr: 'bye DEL\n' }, del.stdout);
        const failed = site.run('ADD', withEnv({ SAYS: 'no way %s\\n', FAILS: 'yes' }));
        assert.deepEqual([failed.code, failed.json?.code], [1, 105], failed.stdout);
        assert.match(failed.json?.msg ?? '', /IPAM plugin teller: failed: no way ADD/);
        assert.match(failed.stderr, /^no way ADD\n/);
        assertSame(site.host.snapshot(), clean);
      });

      it('a megabyte on stderr breaks no call', () => {
        const length = 1 << 20;
        const { code, stderr, stdout } = site.run('ADD', withEnv({ LENGTH: String(length) }));
        assert.equal(code, 0, stdout);
        const [kept = '', note = ''] = stderr.split('\n');
        assert.equal(kept, 'x'.repeat(daemon ? STDERR_BYTES : length));
        const cut = `isthmus: the daemon passes on ${STDERR_BYTES} bytes of stderr, ${length - STDERR_BYTES} more are left out`;
        assert.equal(note, daemon ? cut : '');
        site.ok('DEL', withEnv({}));
        assertSame(site.host.snapshot(), clean);
      });

      it('passes an environment that is larger than a request may be', () => {
        const env = Object.fromEntries(
          Array.from({ length: 14 }, (_, i) => [`LARGE_${'x'.repeat(i)}`, 'y'.repeat(100_000)]),
        );
        const before = served('ADD');
        site.ok('ADD', withEnv({ ...env, NAME: 'n' }));
        assert.equal(served('ADD'), before, 'the stand-alone plugin serves it');
        const seen = environmentOf('ADD');
        for (const [key, value] of Object.entries(env)) assert.equal(seen.get(key), value);
        site.ok('DEL', withEnv({}));
        assertSame(site.host.snapshot(), clean);
      });
    });
});
