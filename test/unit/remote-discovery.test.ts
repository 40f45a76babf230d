import { strict as assert } from 'node:assert';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { findPlugin, type PluginDirectories, pluginDirectories } from '../../src/shared/remote/discovery.ts';
import { formatPlace } from '../../src/shared/remote/place.ts';
import { makeAuthority } from '../support/certificates.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

describe('discovery of plugins', () => {
  let temp: TempDir;
  let directories: PluginDirectories;
  const servers: Server[] = [];

  beforeEach(() => {
    temp = makeTempDir();
    const at = (name: string): string => join(temp.path, name);
    directories = { sockets: [at('run')], specs: [at('etc'), at('lib')] };
  });

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    temp[Symbol.dispose]();
  });

  const file = (name: string, text: string | object): string => {
    const path = join(temp.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
    return path;
  };

  const socket = async (name: string): Promise<string> => {
    const path = join(temp.path, name);
    mkdirSync(dirname(path), { recursive: true });
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  };

  const found = async (name = 'weave', own: readonly string[] = []): Promise<string | undefined> => {
    const place = await findPlugin(name, directories, own);
    return place && formatPlace(place).replace(temp.path, '');
  };

  const refuses = (pattern: RegExp, name = 'weave', own: readonly string[] = []): Promise<void> =>
    assert.rejects(findPlugin(name, directories, own), (error: unknown) => {
      assert.ok(error instanceof NetError);
      assert.equal(error.kind, 'invalid-config', error.message);
      assert.match(error.message, pattern);
      return true;
    });

  it("goes by moby's order", async () => {
    const expected: string[] = [];
    for (const [i, name] of ['weave.spec', 'weave/weave.spec', 'weave.json', 'weave/weave.json'].entries())
      for (const [j, directory] of ['etc', 'lib'].entries()) {
        const address = `tcp://127.0.0.1:${9000 + 10 * j + i}`;
        file(`${directory}/${name}`, name.endsWith('.json') ? { Name: 'other', Addr: address } : ` ${address}\n`);
        expected[4 * j + i] = address;
      }
    for (const [i, address] of expected.entries()) {
      assert.equal(await found(), address);
      const name = ['weave.spec', 'weave/weave.spec', 'weave.json', 'weave/weave.json'][i % 4] ?? '';
      rmSync(join(temp.path, i < 4 ? 'etc' : 'lib', name));
    }
    assert.equal(await found(), undefined);
  });

  it('prefers a socket, in the directory or one level below', async () => {
    file('etc/weave.spec', 'tcp://127.0.0.1:9000');
    await socket('run/weave/weave.sock');
    assert.equal(await found(), 'unix:///run/weave/weave.sock');
    await socket('run/weave.sock');
    assert.equal(await found(), 'unix:///run/weave.sock');
  });

  it('passes over a regular file with the name of a socket', async () => {
    file('run/weave.sock', '');
    file('etc/weave.spec', 'unix:///run/w.sock');
    assert.equal(await found(), 'unix:///run/w.sock');
  });

  for (const [text, place] of [
    ['unix:///run/w.sock', 'unix:///run/w.sock'],
    ['tcp://[fd00::1]:9000', 'tcp://[fd00::1]:9000'],
    ['http://plugins.example/path', 'tcp://plugins.example:80'],
    ['https://plugins.example', 'https://plugins.example:443'],
  ] as const)
    it(`reads a .spec with ${text}`, async () => {
      file('etc/weave.spec', text);
      assert.equal(await found(), place);
    });

  for (const text of ['', 'weave', '/run/w.sock', 'unix://run/w.sock', 'tcp://host', 'tcp://host:70000', 'ftp://h:1'])
    it(`refuses a .spec with ${JSON.stringify(text)}`, async () => {
      file('etc/weave.spec', text);
      await refuses(/file \S+\/etc\/weave\.spec: has "[^"]*", which is not an address of a plugin\. Write unix:/);
    });

  for (const [json, what] of [
    ['{', /weave\.json: is not JSON/],
    ['[]', /weave\.json: is not a JSON object/],
    [{}, /weave\.json: has no Addr/],
    [{ Addr: 7 }, /weave\.json: has Addr=7/],
    [{ Addr: 'tcp://h' }, /weave\.json: has Addr="tcp:\/\/h"/],
    [{ Addr: 'https://h', TLSConfig: 'x' }, /has a TLSConfig that is not an object/],
    [{ Addr: 'https://h', TLSConfig: { InsecureSkipVerify: 'no' } }, /TLSConfig\.InsecureSkipVerify="no"/],
    [{ Addr: 'https://h', TLSConfig: { CAFile: 'ca.pem' } }, /TLSConfig\.CAFile="ca\.pem"\. Write an absolute path/],
    [{ Addr: 'https://h', TLSConfig: { CAFile: '/nowhere/ca.pem' } }, /file \/nowhere\/ca\.pem: cannot be read/],
    [{ Addr: 'https://h', TLSConfig: { CAFile: '/dev/null' } }, /\/dev\/null: is not a regular file/],
  ] as const)
    it(`refuses a .json with ${JSON.stringify(json)}`, async () => {
      file('etc/weave.json', json);
      await refuses(what);
    });

  it('any contents of a file give a place or a NetError', async () => {
    const specs = fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('unix:///x', 'tcp://h:1'));
    const tls = fc.dictionary(fc.constantFrom('CAFile', 'CertFile', 'InsecureSkipVerify'), fc.jsonValue());
    const jsons = fc.oneof(
      fc.json(),
      fc.record({ Addr: specs, TLSConfig: fc.oneof(tls, fc.jsonValue()) }).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('spec', 'json'), fc.oneof(specs, jsons), async (ending, text) => {
        const path = file(`etc/weave.${ending}`, text);
        try {
          assert.notEqual(await found(), undefined);
        } catch (thrown) {
          assert.ok(thrown instanceof NetError && thrown.kind === 'invalid-config', String(thrown));
        }
        rmSync(path);
      }),
      { numRuns: 300 },
    );
  });

  it('reads the files of TLSConfig', async () => {
    makeAuthority(temp.path);
    const at = (name: string): string => join(temp.path, name);
    const tls = { CAFile: at('ca.pem'), CertFile: at('ca-server.pem'), KeyFile: at('ca-server.key') };
    file('etc/weave.json', { Addr: 'https://localhost:9000', TLSConfig: { ...tls, ServerName: 'plugin' } });
    const place = await findPlugin('weave', directories);
    assert.ok(place?.kind === 'tcp' && place.tls !== undefined);
    assert.match(place.tls.ca ?? '', /BEGIN CERTIFICATE/);
    assert.match(place.tls.key ?? '', /PRIVATE KEY/);
    assert.deepEqual([place.tls.insecure, place.tls.serverName], [false, 'plugin']);

    file('etc/weave.json', { Addr: 'https://localhost:9000', TLSConfig: { CertFile: tls.CertFile } });
    await refuses(/weave\.json: has no TLSConfig\.KeyFile/);
    file('etc/weave.json', { Addr: 'https://localhost:9000', TLSConfig: { ...tls, KeyFile: tls.CertFile } });
    await refuses(
      /ca-server\.pem: has no PEM block of the kind needed\. \S+weave\.json names it as TLSConfig\.KeyFile/,
    );
    file('etc/weave.json', { Addr: 'tcp://localhost:9000', TLSConfig: tls });
    await refuses(/weave\.json: has files in TLSConfig, but Addr="tcp:\/\/localhost:9000" is without TLS/);
  });

  it('trusts any certificate without CAFile, as moby does', async () => {
    file('etc/weave.json', { Addr: 'https://localhost:9000' });
    const place = await findPlugin('weave', directories);
    assert.deepEqual(place, { kind: 'tcp', host: 'localhost', port: 9000, tls: { insecure: true } });
  });

  it('refuses our own socket, also by a link or a .spec', async () => {
    const own = await socket('run/isthmus.sock');
    await refuses(/plugin="isthmus": is this program/, 'isthmus', [own]);
    symlinkSync(own, join(temp.path, 'run/weave.sock'));
    await refuses(/plugin="weave": is this program: it would call itself at/, 'weave', [own]);
    file('etc/other.spec', `unix://${own}`);
    await refuses(/plugin="other": is this program/, 'other', [own]);
  });

  for (const name of ['', '.', '..', '../x', 'a b', '-x', 'x'.repeat(200)])
    it(`refuses the name ${JSON.stringify(name.slice(0, 9))}`, () => refuses(/is not the name of a plugin/, name));

  for (const name of ['store/weave', 'weave:latest'])
    it(`explains that ${name} is a managed plugin`, () => refuses(/Only dockerd runs managed plugins/, name));

  it('names the directories of dockerd, and those of a user below RootlessKit', () => {
    assert.deepEqual(pluginDirectories({ XDG_RUNTIME_DIR: '/run/user/1' }), {
      sockets: ['/run/docker/plugins'],
      specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
    });
    const user = { ROOTLESSKIT_STATE_DIR: '/x', XDG_RUNTIME_DIR: '/run/user/1', HOME: '/home/u' };
    assert.deepEqual(pluginDirectories(user), {
      sockets: ['/run/user/1/docker/plugins'],
      specs: ['/home/u/.config/docker/plugins', '/home/u/.local/lib/docker/plugins'],
    });
  });
});
