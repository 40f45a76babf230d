import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { publishPorts } from '../../src/shared/core/ports/publish-ports.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { bundled } from '../support/bundled.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { netnsMissing } from '../support/netns.ts';
import { makeOfferLab, type OfferLab } from '../support/offer-lab.ts';
import { addressesOf, dockerRules, endpointOf, holdNetwork, offerRequest } from '../support/offers.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';

const MOST_STEPS = 40;
const RULES = dockerRules();

type Call = 'offer' | 'publish' | 'replace' | 'withdraw';

describe('the process dies after each step of a call on an offered endpoint', function () {
  this.timeout(300_000);
  let lab: OfferLab;
  let clean: string;
  let child: string;

  const withdraw = async (): Promise<void> => assert.deepEqual(await deleteOffered(lab.core, endpointOf(2)), []);
  /** True where the child died at step `n`; false where its call had fewer and has succeeded. */
  const dies = (call: Call, n: number): boolean => {
    const words = ['--disable-warning=ExperimentalWarning', child, lab.host.path, lab.stateDir, call, String(n)];
    const { stderr, status, signal } = spawnSync(process.execPath, words, {
      encoding: 'utf8',
      env: { ...process.env, ...COMPILE_CACHE },
    });
    assert.ok(signal === 'SIGKILL' || status === 0, `${call}, step ${n}: ${status} ${stderr}`);
    return signal === 'SIGKILL';
  };
  /** The calls before the one that dies. */
  const prepare = async (call: Call): Promise<void> => {
    if (call === 'offer') return;
    await offerEndpoint(lab.core, offerRequest(2, { rules: RULES }));
    if (call === 'publish') return;
    const ports = [8080, 8082].map((hostPort) => ({
      protocol: 'tcp' as const,
      hostPort,
      hostPortEnd: 0,
      containerPort: 80,
    }));
    await publishPorts(lab.core, endpointOf(2), RULES, addressesOf(2), ports);
  };

  before(async function () {
    skipIf(this, netnsMissing());
    child = bundled(join(import.meta.dirname, '../support/offer-crash-child.ts'));
    lab = makeOfferLab(0);
    await offerEndpoint(lab.core, offerRequest(3, { rules: RULES }));
    holdNetwork(lab.core);
    await publishPorts(lab.core, endpointOf(3), RULES, addressesOf(3), [
      { protocol: 'tcp', hostPort: 9000, hostPortEnd: 0, containerPort: 80 },
    ]);
    clean = lab.snapshot();
  });
  after(() => lab?.[Symbol.dispose]());

  for (const [call, least] of [
    ['offer', 3],
    ['publish', 2],
    ['replace', 2],
    ['withdraw', 2],
  ] as const) {
    it(`${call}: DeleteEndpoint leaves nothing of it`, async () => {
      let n = 0;
      for (; n < MOST_STEPS; n++) {
        await prepare(call);
        const died = dies(call, n);
        await withdraw();
        assertSame(lab.snapshot(), clean, `step ${n}`);
        if (!died) break;
      }
      console.log(`      ${n} steps`);
      assert.ok(n >= least && n < MOST_STEPS, `${n} steps`);
    });

    it(`${call}: the next start reverts what was half done, and keeps the rest`, async () => {
      let n = 0;
      for (; n < MOST_STEPS; n++) {
        await prepare(call);
        const died = dies(call, n);
        const { errors } = await reconcile(lab.core, { tryLock: (key) => lock(lab.stateDir, key, { waitMs: 0 }) });
        assert.deepEqual(errors, []);
        const left = lab.core.store.endpoints.list().filter(({ progress }) => progress !== 'ready');
        assert.deepEqual(left, [], `step ${n}`);
        await withdraw();
        assertSame(lab.snapshot(), clean, `step ${n}`);
        if (!died) break;
      }
      assert.ok(n >= least && n < MOST_STEPS, `${n} steps`);
    });
  }

  it('offer: repeating the call completes it', async () => {
    for (let n = 0; n < MOST_STEPS; n++) {
      const died = dies('offer', n);
      await offerEndpoint(lab.core, offerRequest(2, { rules: RULES }));
      assert.ok(lab.host.ip('link', 'show', endpointOf(2).ifName));
      await withdraw();
      assertSame(lab.snapshot(), clean, `step ${n}`);
      if (!died) return;
    }
    assert.fail('it never came to its end');
  });
});
