import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, readPage } from '../support/docs.ts';

const DEMO = join(import.meta.dirname, '../../build/demo.ts');
/** Runs the rest as the user nobody, without capabilities, whatever the tree's place and permissions. */
const AS_NOBODY = ['unshare', '--user', '--map-user=65534', '--map-group=65534'];

interface Ended {
  readonly code: number | null;
  readonly out: string;
}

describe('npm run demo', function () {
  this.timeout(60_000);
  let before = '';

  beforeEach(() => {
    before = machine();
  });

  afterEach(() => {
    assert.equal(machine(), before, 'the machine is not as it was');
  });

  it('shows two results, pings and timings, and leaves nothing', async () => {
    const { code, out } = await end(start());
    assert.equal(code, 0, out);
    for (const address of ['10.84.0.2/24', '10.84.0.3/24']) assert.match(out, new RegExp(`"address": "${address}"`));
    for (const [from, to] of ['a b', 'b a'].map((pair) => pair.split(' ')))
      assert.match(out, new RegExp(`^ +pod ${from} +pod ${to} +10\\.84\\.0\\.[23] +[\\d.]+ ms`, 'm'));
    assert.equal(out.match(/gateway +10\.84\.0\.1 +[\d.]+ ms/g)?.length, 2);
    assert.equal(out.match(/^ +pod [ab] +outside +192\.0\.2\.2 +[\d.]+ ms/gm)?.length, 2);
    for (const from of ['outside', 'the host itself', 'pod a'])
      assert.match(out, new RegExp(`^ +${from} +[\\d.]+:8080 +hello from 10\\.84\\.0\\.2$`, 'm'));
    assert.match(out, /^ +ADD +CHECK +DEL\n( +pod [ab]( +\d+\.\d ms){3}\n){2}/m);
    assert.match(out, /^ +pod b: links lo; on the host lo, uplink0$/m);
  });

  it("prints the lines of README's sample", async () => {
    const sample = blocksOf(readPage('README.md')).find(({ language }) => language === 'text');
    assert.ok(sample);
    const { out } = await end(start());
    const lines = withoutTimes(out).split('\n');
    for (const line of withoutTimes(sample.text).trimEnd().split('\n')) assert.ok(lines.includes(line), line);
  });

  it('prints at most 120 columns and 80 lines to a pipe, without colours and trailing spaces', async () => {
    const { out } = await end(start());
    const lines = out.trimEnd().split('\n');
    assert.ok(lines.length <= 80, `${lines.length} lines`);
    assert.deepEqual(
      lines.filter((line) => line.length > 120 || /\s$|[^ -~]/.test(line)),
      [],
    );
  });

  it('needs no root', async () => {
    const { code, out } = await end(start({ wrapper: AS_NOBODY }));
    assert.equal(code, 0, out);
    assert.match(out, /pod b: links lo; on the host lo, uplink0/);
  });

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`leaves nothing when ${signal} interrupts it`, async () => {
      const demo = start({ detached: true });
      const ended = end(demo);
      const group = -(demo.pid ?? assert.fail('not started'));
      await said(demo, 'ADD pod a');
      // Otherwise it could end while this process looks at the machine.
      process.kill(group, 'SIGSTOP');
      assert.notEqual(machine(), before, 'it had not begun');
      // Signals the whole process group, as a terminal does.
      process.kill(group, signal);
      process.kill(group, 'SIGCONT');
      const { code, out } = await ended;
      assert.equal(code, expected, out);
      assert.doesNotMatch(out, /Timings/);
    });
  }

  it('fails with one line when the plugin fails, and leaves nothing', async () => {
    // A relative path is no ISTHMUS_STATE_DIR: the plugin refuses it.
    const { code, out } = await end(start({ env: { TMPDIR: '.' } }));
    assert.equal(code, 1, out);
    assert.match(out, /^demo: ADD for pod a failed with code 4: .*ISTHMUS_STATE_DIR.*$/m);
    assert.deepEqual(
      readdirSync('.').filter((name) => name.startsWith('isthmus-demo')),
      [],
    );
  });
});

interface Start {
  readonly wrapper?: readonly string[];
  readonly detached?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

function start({ wrapper = [], detached = false, env = {} }: Start = {}): ChildProcess {
  const [file = '', ...args] = [...wrapper, process.execPath, DEMO];
  return spawn(file, args, {
    detached,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The columns of measured times have other widths in each run. */
function withoutTimes(text: string): string {
  return text.replaceAll(/ +\d+\.\d+ ms/g, ' …').replaceAll(/^( +from +to +address) .*/gm, '$1');
}

/** The exit code of the demo, with everything that it said. */
async function end(demo: ChildProcess): Promise<Ended> {
  const chunks: string[] = [];
  for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  const [code] = await once(demo, 'close');
  return { code, out: chunks.join('') };
}

/** The demo has printed `text`. */
async function said(demo: ChildProcess, text: string): Promise<void> {
  assert.ok(demo.stdout);
  for await (const [chunk] of on(demo.stdout, 'data')) if (String(chunk).includes(text)) return;
}

/**
 * Possible remains of the demo: names of links and namespaces (without those of other tests), directories, processes.
 */
function machine(): string {
  const list = (path: string, keep: (name: string) => boolean): string =>
    existsSync(path) ? readdirSync(path).filter(keep).sort().join(' ') : 'absent';
  const links: { ifname: string }[] = JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' }));
  return [
    `links ${links.map(({ ifname }) => ifname).join(' ')}`,
    `namespaces ${list('/run/netns', (name) => !name.startsWith('isth-'))}`,
    `state ${list('/var/lib/isthmus', () => true)}`,
    `temporary ${list(tmpdir(), (name) => name.startsWith('isthmus-demo'))}`,
    `processes ${list('/proc', isDemo)}`,
  ].join('\n');
}

function isDemo(pid: string): boolean {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('isthmus-demo');
  } catch {
    return false;
  }
}
