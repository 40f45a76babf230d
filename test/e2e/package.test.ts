import { strict as assert } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { bundle } from '../../build/bundle.ts';
import { type Packager, type Program, packageExecutable } from '../../build/package.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

/** Answers with what it was given, after a warning that goes to stderr in a Node that is not told otherwise. */
const PROGRAM = `
import { readFileSync, writeSync } from 'node:fs';
import * as ffi from 'node:ffi';
const input = readFileSync(0, 'utf8');
async function late() { return (await import('./late.ts')).answer; }
async function packages() {
  const [{ default: Cidr }, { execa }] = await Promise.all([import('ip-cidr'), import('execa')]);
  return [new Cidr('10.1.0.0/30').toArray().length, typeof execa];
}
async function main() {
  const early = globalThis.lateWasRun === true;
  writeSync(1, JSON.stringify({
    input, name: process.argv0, args: process.argv.slice(2), early, late: await late(), ffi: typeof ffi.dlopen,
    packages: await packages(),
  }));
}
main();
`;
const NODE_MODULES = join(import.meta.dirname, '../../node_modules');
const SECOND = "process.stdout.write('second: ' + process.argv.slice(2).join(' '))";
const VERBS = `
process.on('exit', (code) => process.stdout.write('exit ' + code + ', by ' + process.reallyExit.name));
process.exit(3);
`;
const LATE = 'globalThis.lateWasRun = true; export const answer = 42;';
const ANSWER = {
  input: 'config\n',
  args: ['a b', 'c'],
  early: false,
  late: 42,
  ffi: 'function',
  packages: [4, 'function'],
};

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

for (const packager of ['pkg', 'node-sea'] satisfies Packager[]) {
  describe(`executable packaged by ${packager}`, function () {
    this.timeout(120_000);
    let temp: TempDir;
    let executable: string;
    let programs: Readonly<Record<string, Program>>;

    const run = (env: NodeJS.ProcessEnv = {}, name = executable): Run => {
      const base = { PATH: process.env.PATH };
      return spawnSync(name, ['a b', 'c'], { env: { ...base, ...env }, input: 'config\n', encoding: 'utf8' });
    };

    before(async () => {
      temp = makeTempDir();
      writeFileSync(join(temp.path, 'main.ts'), PROGRAM);
      writeFileSync(join(temp.path, 'late.ts'), LATE);
      executable = join(temp.path, 'program');
      symlinkSync(NODE_MODULES, join(temp.path, 'node_modules'));
      const first = await bundle(join(temp.path, 'main.ts'), join(temp.path, 'program.cjs'));
      writeFileSync(join(temp.path, 'second.cjs'), SECOND);
      const second = { program: join(temp.path, 'second.cjs'), packages: {} };
      programs = { first: { bundle: first }, second: { bundle: second, names: ['second', 'isthmus'] } };
      await packageExecutable(programs, executable, packager);
    });

    after(() => temp?.[Symbol.dispose]());
    afterEach(() => rmSync(join(temp.path, 'written'), { recursive: true, force: true }));

    it('runs, with stdin, arguments and FFI, and prints nothing but its answer', () => {
      const { status, stdout, stderr } = run();
      assert.equal(stderr, '');
      assert.equal(status, 0);
      assert.deepEqual(JSON.parse(stdout), { ...ANSWER, name: executable });
    });

    it('leaves nothing in the package directory', () => {
      const bundled = ['program.cjs', 'program.execa.cjs', 'program.ip-cidr.cjs'];
      const own = ['late.ts', 'main.ts', 'node_modules', 'program'];
      assert.deepEqual(readdirSync(temp.path).sort(), [...own, ...bundled, 'second.cjs']);
    });

    it('refuses packages of one name that differ', async () => {
      const [one, two] = [1, 2].map((n): Program => {
        const file = join(temp.path, `package${n}.cjs`);
        writeFileSync(file, `module.exports = ${n};`);
        return { bundle: { program: join(temp.path, 'second.cjs'), packages: { made: file } } };
      });
      assert.ok(one !== undefined && two !== undefined);
      const packaged = packageExecutable({ one, two }, join(temp.path, 'none'), packager);
      await assert.rejects(packaged, /package2\.cjs and .*package1\.cjs differ/);
    });

    it('runs the program that its name selects, and starts that one again without unwanted variables', () => {
      const named = join(temp.path, 'second');
      symlinkSync(executable, named);
      for (const env of [{}, { NODE_DEBUG: 'fs' }]) {
        assert.equal(run(env, named).stdout, 'second: a b c');
        assert.deepEqual(JSON.parse(run(env).stdout), { ...ANSWER, name: executable });
      }
    });

    for (const [variable, value] of [
      ['NODE_OPTIONS', '--require=/nonexistent'],
      ['NODE_V8_COVERAGE', 'written'],
      ['NODE_REDIRECT_WARNINGS', 'written'],
      ['NODE_COMPILE_CACHE', 'written'],
      ['NODE_PENDING_DEPRECATION', '1'],
      ['NODE_REPL_EXTERNAL_MODULE', '/nonexistent'],
      ['NODE_DEBUG', 'fs,module,child_process'],
      ['NODE_DEBUG_NATIVE', 'SEA'],
      ['NODE_CHANNEL_FD', '0'],
      ['NODE_USE_SYSTEM_CA', '2'],
      ['WATCH_REPORT_DEPENDENCIES', '1'],
      ['NODE_EXTRA_CA_CERTS', '/nonexistent'],
      ['NODE_PATH', '/nonexistent'],
      ['NODE_ICU_DATA', '/nonexistent'],
      ['NODE_TEST_CONTEXT', 'child-v8'],
      ['NODE_UNIQUE_ID', '1'],
      ['OPENSSL_CONF', 'openssl.cnf'],
    ] as const) {
      it(`ignores ${variable}`, () => {
        const file = join(temp.path, value);
        writeFileSync(join(temp.path, 'openssl.cnf'), OPENSSL_CONF);
        const link = join(temp.path, 'other-name');
        if (!existsSync(link)) symlinkSync(executable, link);
        const { status, stdout, stderr } = run({ [variable]: /^(written|openssl)/.test(value) ? file : value }, link);
        assert.equal(stderr, '');
        assert.equal(status, 0);
        assert.deepEqual(JSON.parse(stdout), { ...ANSWER, name: link });
        assert.ok(!existsSync(join(temp.path, 'written')), 'nothing is written');
      });
    }

    it('leaves as a verb at once, after the listeners of exit, and as a daemon in the way of Node', async () => {
      const program = join(temp.path, 'verbs.cjs');
      writeFileSync(program, VERBS);
      const verbs = join(temp.path, 'verbs');
      await packageExecutable(
        { verbs: { bundle: { program, packages: {} }, usual: 'verbs', names: ['verbs'] } },
        verbs,
        packager,
      );
      const [look, serve] = ['status', 'serve'].map((verb) => spawnSync(verbs, [verb], { encoding: 'utf8' }));
      assert.deepEqual([look?.status, look?.stdout, look?.stderr], [3, 'exit 3, by leave', '']);
      assert.deepEqual([serve?.status, serve?.stdout, serve?.stderr], [3, 'exit 3, by reallyExit', '']);
      // Otherwise the next one to write into this pipe would have to wait for room by itself.
      const both = '("$0" status; grep flags /proc/self/fdinfo/1) | cat';
      const { stdout } = spawnSync('sh', ['-c', both, verbs], { encoding: 'utf8' });
      assert.match(stdout, /^exit 3, by leaveflags:\t\d+$/m);
      const flags = Number.parseInt(stdout.split('\t')[1] ?? '', 8);
      assert.equal(flags & constants.O_NONBLOCK, 0, stdout);
      for (const file of [program, verbs]) rmSync(file);
    });

    it('runs a program of one line', async () => {
      const [program, short] = [join(temp.path, 'short.cjs'), join(temp.path, 'short')];
      writeFileSync(program, 'process.exitCode = 3;');
      await packageExecutable({ short: { bundle: { program, packages: {} } } }, short, packager);
      const { status, stderr } = spawnSync(short, [], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [3, '']);
      for (const file of [program, short]) rmSync(file);
    });

    it('runs without unpacking itself, and writes no file', () => {
      const log = join(temp.path, 'strace.log');
      const calls = 'open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,memfd_create';
      const { status } = spawnSync('strace', ['-f', '-e', `trace=${calls}`, '-o', log, executable], { input: '' });
      assert.equal(status, 0);
      const trace = readFileSync(log, 'utf8');
      assert.match(trace, /openat\(.*program", O_RDONLY/, 'strace saw the program at work');
      const writes = trace
        .split('\n')
        .filter((line) => /O_(WRONLY|RDWR|CREAT)|creat|mkdir|rename|unlink|memfd/.test(line));
      assert.deepEqual(writes, []);
    });

    it('can be replaced while it runs', async () => {
      const running = spawn(executable, [], { stdio: ['pipe', 'pipe', 'inherit'] });
      const output = text(running.stdout);
      await once(running, 'spawn');
      await packageExecutable(programs, executable, packager);
      assert.equal(run().status, 0);
      running.stdin.end('still here');
      assert.equal(JSON.parse(await output).input, 'still here');
    });
  });
}

const OPENSSL_CONF = `nodejs_conf = main
[main]
providers = providers
[providers]
planted = planted
[planted]
module = /nonexistent.so
activate = 1
`;
