import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readResolvConf } from '../../src/shared/config/dns.ts';
import { LIMITS } from '../../src/shared/config/limits.ts';
import { makeTempDir } from '../support/temp.ts';

describe('resolvConf', () => {
  const dir = makeTempDir();
  const file = (name: string): string => join(dir.path, name);
  after(() => dir[Symbol.dispose]());
  const read = (path: string) => readResolvConf(path, '.ipam.resolvConf');
  const refusal = (what: RegExp) => ({ kind: 'invalid-config', message: what });

  it('is read up to its limit', () => {
    writeFileSync(file('full'), `nameserver 192.0.2.1\n#${'x'.repeat(LIMITS.resolvConf - 23)}\n`);
    assert.deepEqual(read(file('full')), { nameservers: ['192.0.2.1'] });
  });

  it('is refused a byte above it, and with gigabytes', () => {
    writeFileSync(file('large'), 'x'.repeat(LIMITS.resolvConf + 1));
    assert.throws(() => read(file('large')), refusal(/resolvConf=.*it has more than 65536 bytes/));
    truncateSync(file('large'), 8 * 2 ** 30);
    assert.throws(() => read(file('large')), refusal(/it has more than 65536 bytes/));
  });

  it('is refused without waiting: a pipe, a device, a directory, a file of the kernel that waits', () => {
    execFileSync('mkfifo', [file('pipe')]);
    mkdirSync(file('directory'));
    for (const path of [file('pipe'), file('directory'), '/dev/zero', '/dev/tty', '/dev/stdin'])
      assert.throws(() => read(path), refusal(/it is not a regular file|no such|ENXIO|ENOENT/i), path);
    assert.throws(() => read('/proc/kmsg'), refusal(/cannot be read/));
  });

  it('is refused with a NUL in its path, and without a file', () => {
    assert.throws(() => read('/a\0b'), refusal(/cannot be read/));
    assert.throws(() => read(file('none')), refusal(/ENOENT/));
  });
});
