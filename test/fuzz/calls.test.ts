import { type CniHost, makeHost } from '../support/cni-host.ts';
import { FUZZ_MS, runChild } from '../support/fuzz/run.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

/** No input brings an answer of 999, hangs, or leaves anything; the service then serves the next call. */
describe('fuzz: calls', function () {
  this.timeout(FUZZ_MS * 3 + 60_000);
  let host: CniHost;
  let dir: TempDir;
  let asItWas: string;

  beforeEach(async () => {
    host = makeHost(1, { via: 'alone' });
    dir = makeTempDir();
    for (const state of ['up', 'down']) host.pod(0).ip('link', 'set', 'lo', state);
    await runChild('calls-child', host, dir.path, 'nothing');
    asItWas = host.snapshot();
  });
  afterEach(() => {
    host?.[Symbol.dispose]();
    dir?.[Symbol.dispose]();
  });

  for (const what of ['netconf', 'prevResult', 'delegate'])
    it(what, async () => {
      if (what === 'prevResult') {
        host.ns.ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.pod(0).name);
        host.ns.ip('link', 'set', 'veth0', 'up');
        asItWas = host.snapshot();
      }
      console.log(`      ${await runChild('calls-child', host, dir.path, what)}`);
      assertSame(host.snapshot(), asItWas, 'the host is as it was');
    });

  it('rows of the state', async () => {
    console.log(`      ${await runChild('rows-child', host, dir.path, 'rows')}`);
  });
});
