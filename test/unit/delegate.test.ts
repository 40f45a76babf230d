import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../src/shared/config/limits.ts';
import { type DelegateCall, delegateSource } from '../../src/shared/runtime/delegate.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

describe('delegate', function () {
  this.timeout(30_000);
  let dir: TempDir;
  beforeEach(() => {
    dir = makeTempDir();
  });
  afterEach(() => dir[Symbol.dispose]());

  /** Runs ADD of a plugin that is this shell script. */
  const acquire = (script: string, more: Partial<DelegateCall> = {}) => {
    writeFileSync(join(dir.path, 'plugin'), `#!/bin/sh\ncd ${dir.path}\n${script}\n`, { mode: 0o755 });
    const config = '{"cniVersion":"1.0.0"}';
    const env = { PATH: process.env.PATH };
    return delegateSource({ type: 'plugin', path: [dir.path], config, env, stderr: () => {}, ...more }).acquire();
  };
  const answer = (result: unknown): string => `cat <<'END'\n${JSON.stringify(result)}\nEND`;
  const RESULT = { cniVersion: '1.0.0', ips: [{ address: '10.1.0.2/16', gateway: '10.1.0.1' }] };

  it('ends although a child of it keeps stdout and stderr open', async () => {
    const child = "sh -c 'echo $$ >child; exec sleep 1000' &\nwhile [ ! -s child ]; do :; done";
    const { addresses } = await acquire(`${answer(RESULT)}\n${child}`);
    const pid = Number(readFileSync(join(dir.path, 'child'), 'utf8'));
    process.kill(pid, 0);
    process.kill(pid);
    assert.equal(addresses.length, 1);
  });

  it('fails if it writes more than the limit, and is stopped', async () => {
    await assert.rejects(acquire('yes'), {
      kind: 'delegate',
      message: new RegExp(`wrote more than ${LIMITS.delegateOutput} bytes`),
    });
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a multicast address',
      { ...RESULT, ips: [{ address: '224.0.0.5/24' }] },
      /gave 224\.0\.0\.5\/24: it is multicast/,
    ],
    ['a loopback address', { ...RESULT, ips: [{ address: '::1/64' }] }, /it is loopback/],
    [
      'more addresses than the limit',
      { ...RESULT, ips: Array(300).fill({ address: '10.1.0.2/16' }) },
      /\.ips: has 300/,
    ],
    [
      'more routes than the limit',
      { ...RESULT, routes: Array(2000).fill({ dst: '10.0.0.0/8' }) },
      /\.routes: has 2000/,
    ],
    ['a NUL', { ...RESULT, dns: { domain: 'a\0b' } }, /\.dns\.domain: has a NUL/],
  ];
  for (const [what, result, why] of wrong)
    it(`is refused with its result: ${what}`, async () => {
      await assert.rejects(acquire(answer(result)), { kind: 'delegate', message: why });
    });

  it('is refused with a result of ten thousand levels', async () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    await assert.rejects(acquire(`echo '{"cniVersion":"1.0.0","ips":${deep}}'`), {
      kind: 'delegate',
      message: /more than 64 levels/,
    });
  });

  for (const [code, given] of [
    [7, 7],
    [4_294_967_295, 4_294_967_295],
    [999, undefined],
    [0, undefined],
    [-1, undefined],
    [1.5, undefined],
    [4_294_967_296, undefined],
    ['7', undefined],
  ] as const)
    it(`error code ${JSON.stringify(code)} is ${given === undefined ? 'not ' : ''}passed on`, async () => {
      const failing = acquire(`${answer({ cniVersion: '1.0.0', code, msg: 'no\nway' })}\nexit 1`);
      await assert.rejects(failing, { kind: 'delegate', code: given, message: /failed: no way$/ });
    });
  it('passes on details that are no text as JSON, also with a key that String() would call', async () => {
    const failing = acquire(`${answer({ cniVersion: '1.0.0', code: 7, msg: 'no', details: { toString: 0 } })}\nexit 1`);
    await assert.rejects(failing, { kind: 'delegate', message: /failed: no; \{"toString":0\}$/ });
  });
});
