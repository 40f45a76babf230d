import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const MAIN = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');

describe('operator commands', () => {
  let directory: TempDir;
  let stateDir: string;
  beforeEach(() => {
    directory = makeTempDir();
    stateDir = join(directory.path, 'state');
  });
  afterEach(() => directory[Symbol.dispose]());

  function run(...args: readonly string[]) {
    const env = {
      PATH: process.env.PATH ?? '',
      ISTHMUS_STATE_DIR: stateDir,
      ISTHMUS_DOCKER_HOST: 'none',
      ...COMPILE_CACHE,
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', MAIN, ...args], {
      env,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  for (const [verb, usage] of [
    ['network ls', 'network ls|list [options]'],
    ['reload', 'reload [options]'],
    ['network inspect', 'network inspect [options] <network...>'],
    ['network create', 'network create [options] <name>'],
    ['network rm', 'network rm|remove [options] <network...>'],
    ['endpoint ls', 'endpoint ls|list [options] [network]'],
    ['endpoint inspect', 'endpoint inspect [options] <container...>'],
    ['ports', 'ports [options] [container]'],
    ['cluster status', 'cluster status [options]'],
    ['cluster join', 'cluster join [options]'],
    ['cluster leave', 'cluster leave [options]'],
    ['cluster forget', 'cluster forget [options] <host>'],
    ['version', 'version [options]'],
    ['install', 'install [options]'],
    ['uninstall', 'uninstall [options]'],
  ] as const)
    it(`${verb} --help shows examples and changes nothing`, () => {
      const { status, stdout, stderr } = run(...verb.split(' '), '--help');
      assert.deepEqual([status, stderr], [0, '']);
      assert.ok(stdout.startsWith(`Usage: isthmus ${usage}\n`), stdout);
      const [, examples = ''] = stdout.split('\nExamples:\n');
      assert.match(examples, new RegExp(`^ +isthmus ${verb}( |$)`, 'm'));
      assert.doesNotMatch(stdout, /default: (\[\]|false)/);
      assert.equal(existsSync(stateDir), false);
    });

  it('are all listed in the help', () => {
    const { status, stdout } = run('--help');
    assert.equal(status, 0);
    for (const verb of [
      'install',
      'uninstall',
      'serve',
      'network',
      'endpoint',
      'ports',
      'cluster',
      'reload',
      'version',
      'help',
    ])
      assert.match(stdout, new RegExp(`^  ${verb} `, 'm'));
  });

  for (const [args, pattern] of [
    ['network', /^Usage: isthmus network/],
    ['endpoint', /^Usage: isthmus endpoint/],
    ['network lss', /unknown command 'lss'.*Did you mean ls\?/s],
    ['network prune', /unknown command 'prune'/],
    ['network ls web', /too many arguments/],
    ['network ls -o yaml', /'-o, --output <format>' argument 'yaml' is invalid.*table, json/],
    ['network ls --state-dir state', /argument 'state' is invalid.*not an absolute path/],
    ['network inspect', /missing required argument 'network'/],
    ['install --names brigde', /There is no reference plugin 'brigde'\. Did you mean bridge\?/],
    ['install --names ,', /Give names, all or none/],
    ['install --root host', /argument 'host' is invalid.*not an absolute path/],
    ['uninstall now', /too many arguments/],
    ['network create', /missing required argument 'name'/],
    ['network create web --subnet', /'--subnet <cidr>' argument missing/],
    ['network create web --subnets 10.0.0.0/8', /unknown option '--subnets'.*Did you mean --subnet\?/s],
    ['network create web --address-pool 10.0.0.0/8', /argument '10\.0\.0\.0\/8' is invalid.*base=/],
    ['network create web db', /too many arguments/],
    ['network rm', /missing required argument 'network'/],
    ['endpoint inspect', /missing required argument 'container'/],
    ['endpoint ls web db', /too many arguments/],
    ['ports web1 web2', /too many arguments/],
    ['network ls --format {{.Name}}', /Templates are docker's; give json, and use jq/],
    ['network ls --filter colour=red', /'colour=red' is invalid\. Write key=value; keys are name, driver, id, label/],
    ['endpoint ls --filter camp=', /'camp=' is invalid/],
    ['ports --port 0', /'0' is invalid\. Write it as in 8080 or 53\/udp/],
    ['ports --port 80/icmp', /is invalid/],
    ['help network make', /there is no verb 'network make'/],
    ['version now', /too many arguments/],
  ] as const)
    it(`${args} is a usage error`, () => {
      const { status, stdout, stderr } = run(...args.split(' '));
      assert.deepEqual([status, stdout], [2, ''], stderr);
      assert.match(stderr, pattern);
      assert.equal(existsSync(stateDir), false);
    });

  for (const words of ['network create', 'network ls', 'endpoint inspect', 'ports'])
    it(`help ${words} shows that page`, () => {
      assert.deepEqual(run('help', ...words.split(' ')), run(...words.split(' '), '--help'));
    });

  for (const args of ['network ls', 'network inspect web', 'network rm web', 'endpoint ls', 'ports', 'reload'])
    it(`${args} fails without a state, and makes none`, () => {
      for (const exists of [false, true]) {
        if (exists) mkdirSync(stateDir);
        const { status, stdout, stderr } = run(...args.split(' '));
        assert.deepEqual([status, stdout], [1, '']);
        const what = exists ? 'there is no state in it' : 'it does not exist';
        assert.match(
          stderr,
          new RegExp(`^isthmus: state ${stateDir}: ${what}\\. It appears with the first [^\n]* give --state-dir\n$`),
        );
        assert.equal(existsSync(stateDir), exists);
        assert.deepEqual(exists ? readdirSync(stateDir) : [], []);
      }
    });

  it('version -o json prints the supported versions', () => {
    const { status, stdout } = run('version', '-o', 'json');
    assert.equal(status, 0);
    const told: Readonly<Record<string, unknown>> = JSON.parse(stdout);
    assert.deepEqual(Object.keys(told), ['version', 'cni', 'schema', 'node']);
    assert.equal(told.version, manifest.version);
    assert.equal(told.node, process.version);
    assert.ok((told.cni as string[]).includes('1.1.0'));
  });

  it('report a problem with the state on one line', () => {
    const { status, stdout, stderr } = run('network', 'ls', '--state-dir', MAIN);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^isthmus: [^\n]*main\.ts: is not a directory[^\n]*\n$/);
  });
});
