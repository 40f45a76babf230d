import { strict as assert } from 'node:assert';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { runChild } from '../support/fuzz/run.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

/** Milliseconds of processor time: the launcher's other calls, dockerd and systemd's watchdog wait as long. */
const LONGEST = 50;

describe('the largest accepted configurations', function () {
  this.timeout(240_000);
  let host: CniHost;
  let dir: TempDir;
  before(() => {
    host = makeHost(1, { via: 'alone' });
    dir = makeTempDir();
  });
  after(() => {
    host?.[Symbol.dispose]();
    dir?.[Symbol.dispose]();
  });

  it(`hold the daemon's thread for at most ${LONGEST} ms of processor time at a time`, async () => {
    const turns: Readonly<Record<string, number>> = JSON.parse(await runChild('limits-child', host, dir.path, ''));
    const long = Object.entries(turns).filter(([, ms]) => ms > LONGEST);
    assert.deepEqual(long, []);
    assert.ok(Object.keys(turns).length >= 60, `${Object.keys(turns).length} calls were measured`);
  });
});
