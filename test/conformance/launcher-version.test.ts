import { strict as assert } from 'node:assert';
import { rmSync, symlinkSync } from 'node:fs';
import fc from 'fast-check';
import { versionAnswer } from '../../src/shared/runtime/cni/version.ts';
import { type PluginDir, pluginDir, pluginFile, runPlugin } from '../support/cni.ts';
import { type LauncherLab, makeLauncherLab } from '../support/launcher-lab.ts';
import { decline, startPeer } from '../support/launcher-peer.ts';

const MIB = 1 << 20;
const nested = (depth: number): string => `{"cniVersion":"0.3.1","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

/** Questions that the launcher answers. */
const PLAIN: Readonly<Record<string, string>> = {
  'a configuration': '{"cniVersion":"1.0.0","name":"web","plugins":[{"type":"isthmus","mtu":1500,"ipMasq":true}]}',
  'a version that does not exist': '{"cniVersion":"7.7.7 (seven)"}',
  'no version': '{"name":"web"}',
  'an empty object': '{}',
  'white space': ' \t\r\n{ \n"cniVersion" :\t"0.4.0" , "a" : [ ] , "b" : { } }\n',
  'the version of something else': '{"a":{"cniVersion":"9"},"b":[{"cniVersion":"8"}],"cniVersion":"0.2.0"}',
  'every kind of value': '{"a":[-0.5e+3,0,10E2,1.25,true,false,null,"\\u00fc\\n\\"",[[]],{}],"cniVersion":"1.0.0"}',
  'text that is not UTF-8': '{"name":"\xff\xfe\u00e4","cniVersion":"1.0.0"}',
  '62 levels': nested(62),
  '1 MiB': '{"cniVersion":"1.0.0"}'.padEnd(MIB),
};

/** Questions that are the plugin's to answer. */
const UNCLEAR: Readonly<Record<string, string>> = {
  nothing: '',
  'white space only': ' \n',
  'no JSON': 'cniVersion',
  'an object that does not end': '{"cniVersion":"1.0.0"',
  'something behind the object': '{"cniVersion":"1.0.0"}}',
  'a comma too many': '{"cniVersion":"1.0.0",}',
  'a number that is none': '{"cniVersion":"1.0.0","a":01}',
  'an escape that is none': '{"cniVersion":"1.0.0","a":"\\x"}',
  'a line break in a text': '{"cniVersion":"1.0.0","a":"\n"}',
  'a NUL byte': '{"cniVersion":"1.0.0"}\0',
  'a byte order mark': '\ufeff{"cniVersion":"1.0.0"}',
  'a list': '[{"cniVersion":"1.0.0"}]',
  'a version that is no text': '{"cniVersion":1}',
  'a version that is null': '{"cniVersion":null}',
  'an empty version': '{"cniVersion":""}',
  'an escape in the version': '{"cniVersion":"1.0\\u002e0"}',
  'a version with an accent': '{"cniVersion":"1.0.ö"}',
  'an escape in the key': '{"cniVersio\\u006e":"1.0.0"}',
  'a key in other letters': '{"CNIVERSION":"0.4.0"}',
  'two versions': '{"cniVersion":"1.0.0","cniVersion":"0.4.0"}',
  '70 levels': nested(70),
  'more than 1 MiB': '{"cniVersion":"1.0.0"}'.padEnd(MIB + 1),
  'much more than 1 MiB': '{"cniVersion":"1.0.0"}'.padEnd(2 * MIB),
};

describe("launcher's VERSION", function () {
  this.timeout(60_000);
  let lab: LauncherLab;
  let dir: PluginDir;

  before(() => {
    dir = pluginDir();
    lab = makeLauncherLab();
  });
  beforeEach(() => lab.restore());
  after(() => {
    lab?.[Symbol.dispose]();
    dir?.[Symbol.dispose]();
  });

  const ofPlugin = (text: string) => {
    const { code, stdout } = runPlugin({ dir: dir.path, name: 'isthmus', command: 'VERSION', config: text });
    return { code, stdout };
  };

  for (const [title, text] of Object.entries(PLAIN))
    it(`equals the plugin's, to the byte, for ${title}`, async () => {
      const stdin = Buffer.from(text, title.includes('UTF-8') ? 'latin1' : 'utf8');
      const { code, stdout, stderr, standIn } = await lab.run({ command: 'VERSION', stdin });
      assert.equal(standIn, undefined, 'the plugin was called');
      assert.deepEqual({ code, stdout }, ofPlugin(text));
      assert.equal(stderr, '');
    });

  for (const [title, text] of Object.entries(UNCLEAR))
    it(`comes from the plugin for ${title}`, async () => {
      const { standIn } = await lab.run({ command: 'VERSION', stdin: text });
      assert.equal(standIn?.stdin.toString(), text);
      rmSync(lab.plugin);
      symlinkSync(pluginFile, lab.plugin);
      const { code, stdout } = await lab.run({ command: 'VERSION', stdin: text });
      assert.deepEqual({ code, stdout }, ofPlugin(text));
    });

  it('never differs from that of the plugin', async () => {
    const piece = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        ' ',
        '"',
        '\\',
        '\\u0063',
        'cniVersion',
        '"cniVersion":',
        '"1.0.0"',
        '"CniVersion"',
      ],
      ...[
        '"a":',
        '1',
        '-',
        '.5',
        'e3',
        'true',
        'null',
        '\n',
        '{"cniVersion":"0.4.0"',
        '"cniVersion":"1.0.0",',
        'ö',
        '\x1f',
      ],
    );
    const texts = fc.oneof(
      fc.json().map((inner) => `{"cniVersion":"1.0.0","a":${inner}}`),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.array(piece, { maxLength: 3 }).map((pieces) => `{"cniVersion":"0.4.0",${pieces.join('')}}`),
    );
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const { code, stdout, standIn } = await lab.run({ command: 'VERSION', stdin: text });
        if (standIn !== undefined) return;
        answered++;
        assert.equal(stdout, `${JSON.stringify(versionAnswer(text), null, 4)}\n`);
        assert.equal(code, 0);
        assert.doesNotThrow(() => JSON.parse(text));
      }),
      { numRuns: 300, examples: [['{"cniVersion":"1.0.0"}']] },
    );
    assert.ok(answered > 30, `only ${answered} were answered`);
  });

  it('needs no daemon and ignores ISTHMUS_TIMEOUT', async () => {
    using peer = await startPeer(lab.runDir, decline);
    const { code } = await lab.run({ command: 'VERSION', env: { ISTHMUS_TIMEOUT: 'never' } });
    assert.deepEqual([code, peer.connections], [0, 0]);
  });

  it('fails when stdout cannot be written', async () => {
    for (const redirect of ['>&-', '> /dev/full']) {
      const { code, signal } = await lab.run({ command: 'VERSION', prefix: ['sh', '-c', `exec "$0" ${redirect}`] });
      assert.deepEqual([code, signal], [1, null], redirect);
    }
  });
});
