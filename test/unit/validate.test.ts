import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, validate } from '../../src/shared/config/validate.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { EXAMPLES } from '../support/runtime.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const MAIN = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');

function findingsOf(text: string): readonly Finding[] {
  const nameOf = (type: string) => (pluginName(type) === type ? pluginName(type) : undefined);
  return validate(text, nameOf, (type) => ['dhcp', 'host-local', 'static'].includes(type)).findings;
}

function lines(text: string): string[] {
  return findingsOf(text).map(
    ({ line, column, key, rule, hint }) => `${line}:${column} ${key} ${rule}${hint === undefined ? '' : `. ${hint}`}`,
  );
}

/** A list of one plugin, each key on a line of its own from line 2 on. */
function list(...keys: readonly string[]): string {
  return `{"cniVersion": "1.0.0", "name": "web", "plugins": [{\n${keys.join(',\n')}\n}]}`;
}

describe('validate', () => {
  for (const [title, text, expected] of [
    [
      'a misspelt key, with the nearest one',
      list('"type": "isthmus"', '"isGatway": true'),
      ['3:1 .plugins[0].isGatway true: there is no such key. Did you mean isGateway?'],
    ],
    [
      'a value of another type',
      list('"type": "isthmus"', '"mtu": "1500"'),
      ['3:1 .plugins[0].mtu "1500": it is not an integer. Write it so'],
    ],
    [
      'every wrong key of a plugin, in the order of the file',
      list('"type": "isthmus"', '"hairpinMod": true', '"vlan": 5000', '"brigde": "isth0"'),
      [
        '3:1 .plugins[0].hairpinMod true: there is no such key. Did you mean hairpinMode?',
        '4:1 .plugins[0].vlan 5000: it must be <= 4094. Write it so',
        '5:1 .plugins[0].brigde "isth0": there is no such key. Did you mean bridge?',
      ],
    ],
    [
      'a key inside of ipam',
      list('"type": "isthmus"', '"ipam": {"ranges": [[\n{"subnet": "10.9.0.0/24", "rangeStrat": "10.9.0.9"}]]}'),
      ['4:27 .plugins[0].ipam.ranges[0][0].rangeStrat "10.9.0.9": there is no such key. Did you mean rangeStart?'],
    ],
    [
      'what is missing, at the place that lacks it',
      list('"type": "isthmus"', '"ipam": {"routes": [{"gw": "10.9.0.1"}], "subnet": "10.9.0.0/24"}'),
      ['3:21 .plugins[0].ipam.routes[0].dst it is missing. Add it'],
    ],
    [
      'keys of another driver',
      list('"type": "isthmus"', '"driver": "macvlan"', '"hairpinMode": true'),
      ['4:1 .plugins[0].hairpinMode true: means nothing to driver "macvlan". Remove it'],
    ],
    [
      'a key that is there twice',
      list('"type": "isthmus"', '"mtu": 1400', '"mtu": 1500'),
      ['3:1 .plugins[0].mtu the key is there twice, and only the last one counts. Remove one of them'],
    ],
    [
      'text that is no JSON',
      '{\n  "name": "web",\n  plugins: []\n}',
      ['3:3  it is not JSON: "p" instead of a key in double quotes'],
    ],
    ['an empty file', ' \n', ['1:1  the file is empty']],
    [
      'a list without plugins, whose key is misspelt',
      '{"cniVersion": "1.0.0",\n"name": "web",\n"pluggins": [{"type": "isthmus"}]}',
      ['3:1 .pluggins runtimes ignore this key of a list. Did you mean plugins?'],
    ],
    [
      'a name that no network can have',
      '{"cniVersion": "1.0.0",\n"name": "we b", "plugins": [{"type": "isthmus"}]}',
      [
        '2:1 .name "we b": is not a network name. Start with a letter or digit; then letters, digits, "_", "." and "-"; 128 characters at most',
      ],
    ],
    [
      'a version that was never released',
      '{\n"cniVersion": "9.9.9", "name": "web", "plugins": [{"type": "isthmus"}]}',
      [
        '2:1 .cniVersion "9.9.9": it is not a version of CNI. Supported are 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
      ],
    ],
    [
      'a plugin of a chain',
      '{"cniVersion": "1.0.0", "name": "web", "plugins": [{"type": "isthmus"},\n{"type": "portmap", "markMasqBit": 40}]}',
      ['2:21 .plugins[1].markMasqBit 40: it is not a bit of a mark. Give a whole number from 0 to 31'],
    ],
  ] as const)
    it(`tells ${title}`, () => assert.deepEqual(lines(text), expected));

  it('accepts $schema, the keys of other runtimes, and plugins of other programs', () => {
    const text = JSON.stringify({
      ...{ $schema: '/etc/x.json', cniVersion: '1.0.0', name: 'web', nerdctlID: 'a', args: { podman_labels: {} } },
      plugins: [
        { $schema: '/etc/y.json', type: 'isthmus' },
        { type: 'cilium-cni', anything: 1 },
      ],
    });
    assert.deepEqual(findingsOf(text), []);
  });

  it('ends for any text', () => {
    const deep = `{"name":"a","type":"isthmus","x":${'['.repeat(199)}${']'.repeat(199)}}`;
    const wide = JSON.stringify({
      name: 'a',
      type: 'isthmus',
      ...Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`k${i}`, 1])),
    });
    for (const text of [
      deep,
      wide,
      'null',
      '[]',
      '"x"',
      '{}',
      '{"plugins":[]}',
      '{"name":"a","plugins":[1]}',
      '{"__proto__":1,"name":"a","type":"isthmus"}',
    ])
      assert.ok(findingsOf(text).length > 0, text.slice(0, 40));
  });

  for (const file of readdirSync(EXAMPLES).filter((name) => name.endsWith('.conflist')))
    it(`${file} is valid`, () => assert.deepEqual(findingsOf(readFileSync(join(EXAMPLES, file), 'utf8')), []));
});

describe('isthmus validate', () => {
  let directory: TempDir;
  beforeEach(() => {
    directory = makeTempDir();
  });
  afterEach(() => directory[Symbol.dispose]());

  const run = (...args: readonly string[]) => {
    const env = { PATH: process.env.PATH ?? '', ...COMPILE_CACHE };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', MAIN, 'validate', ...args], {
      env,
      encoding: 'utf8',
      timeout: 15_000,
    });
    return { status, stdout, stderr };
  };

  it('checks what a runtime reads in a directory, and exits with 1 for a finding', () => {
    const at = (name: string): string => join(directory.path, name);
    writeFileSync(at('10-good.conflist'), list('"type": "isthmus"'));
    writeFileSync(at('README'), 'no configuration');
    mkdirSync(at('whereabouts.d'));
    const good = run(directory.path);
    assert.deepEqual(good, {
      status: 0,
      stdout: `${at('10-good.conflist')}: network web is valid (isthmus)\n`,
      stderr: '',
    });
    writeFileSync(at('20-bad.conf'), '{"name": "b", "type": "isthmus",\n"mtuu": 1}');
    const { status, stdout } = run(directory.path);
    assert.equal(status, 1);
    assert.match(stdout, /20-bad\.conf:2:1: \.mtuu: 1: there is no such key\. Did you mean mtu\?\n$/);
    const json = run('-o', 'json', at('20-bad.conf'));
    assert.equal(json.status, 1);
    const [told] = JSON.parse(json.stdout);
    assert.deepEqual(told.findings, [
      { line: 2, column: 1, key: '.mtuu', rule: '1: there is no such key', hint: 'Did you mean mtu?' },
    ]);
  });

  it('reads on past what cannot be read in a directory, and waits for nothing', () => {
    const at = (name: string): string => join(directory.path, name);
    execFileSync('mkfifo', [at('10-fifo.conf')]);
    symlinkSync('/dev/zero', at('20-zero.conf'));
    symlinkSync(at('30-loop.conf'), at('30-loop.conf'));
    mkdirSync(at('40-directory.conf'));
    writeFileSync(at('50-large.conf'), ' '.repeat((1 << 20) + 1));
    writeFileSync(at('60-good.conflist'), list('"type": "isthmus"'));
    const { status, stdout, stderr } = run(directory.path);
    assert.deepEqual([status, stderr], [1, '']);
    assert.deepEqual(
      stdout
        .replaceAll(`${directory.path}/`, '')
        .replace(/ELOOP.*/, 'ELOOP')
        .split('\n'),
      [
        '10-fifo.conf:1:1: it cannot be read: it is neither a file nor a directory',
        '20-zero.conf:1:1: it cannot be read: it is neither a file nor a directory',
        '30-loop.conf:1:1: it cannot be read: ELOOP',
        '50-large.conf:1:1: it cannot be read: it has more than 1048576 bytes',
        '60-good.conflist: network web is valid (isthmus)',
        '',
      ],
    );
    const zero = run('/dev/zero');
    assert.deepEqual([zero.status, zero.stdout], [1, '']);
    assert.match(zero.stderr, /\/dev\/zero: it cannot be read \(it has more than 1048576 bytes\)/);
  });

  it('reads what a shell makes of a command', () => {
    const text = list('"type": "isthmus"');
    const command = `${process.execPath} --no-warnings ${MAIN} validate <(printf %s '${text}')`;
    const told = execFileSync('bash', ['-c', command], {
      encoding: 'utf8',
      // With a socket, bash takes itself for a remote shell.
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: '/bin', ...COMPILE_CACHE },
    });
    assert.match(told, /^\/dev\/fd\/\d+: network web is valid \(isthmus\)\n$/);
  });

  it('says so for a file that cannot be read, and for none', () => {
    const { status, stdout, stderr } = run(join(directory.path, 'none'));
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^isthmus: validate \S+: it cannot be read \(ENOENT[^\n]*\n$/);
    assert.equal(run().status, 2);
  });
});
