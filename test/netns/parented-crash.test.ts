import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../src/shared/core/networks/delete-network.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { bundled } from '../support/bundled.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { netnsMissing } from '../support/netns.ts';
import { makeOfferLab, type OfferLab } from '../support/offer-lab.ts';
import { macvlan, networkRequest, offered, parentedOffer } from '../support/parented.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';

const MOST_STEPS = 20;
const LAN = macvlan();
const HOLDER = { kind: 'docker', id: 'a' } as const;

type Call = 'lan' | 'lan-offer' | 'lan-withdraw';

/** The least number of steps that each call has on a parent that the host has. */
const LEAST: Readonly<Record<Call, number>> = { lan: 2, 'lan-offer': 1, 'lan-withdraw': 1 };

describe('the process dies after each step of a call on a macvlan network of dockerd', function () {
  this.timeout(120_000);
  let lab: OfferLab;
  let clean: string;
  let child: string;

  /** True where the child died at step `n`; false where its call had fewer and has succeeded. */
  const dies = (call: Call, n: number): boolean => {
    const words = ['--disable-warning=ExperimentalWarning', child, lab.host.path, lab.stateDir, call, String(n)];
    const env = { ...process.env, ...COMPILE_CACHE };
    const { stderr, status, signal } = spawnSync(process.execPath, words, { encoding: 'utf8', env });
    assert.ok(signal === 'SIGKILL' || status === 0, `${call}, step ${n}: ${status} ${stderr}`);
    return signal === 'SIGKILL';
  };
  const prepare = async (call: Call): Promise<void> => {
    if (call === 'lan') return;
    await createNetwork(lab.core, networkRequest(LAN));
    if (call === 'lan-withdraw') await offerEndpoint(lab.core, parentedOffer(LAN));
  };
  const removeAll = async (): Promise<void> => {
    assert.deepEqual(await deleteOffered(lab.core, offered(2)), []);
    assert.deepEqual(await deleteNetwork(lab.core, 'docker-a', HOLDER), []);
  };
  const start = async (): Promise<void> => {
    const { errors } = await reconcile(lab.core, { tryLock: (key) => lock(lab.stateDir, key, { waitMs: 0 }) });
    assert.deepEqual(errors, []);
  };

  before(async function () {
    skipIf(this, netnsMissing());
    child = bundled(join(import.meta.dirname, '../support/offer-crash-child.ts'));
    lab = makeOfferLab(0);
    await createNetwork(lab.core, networkRequest(LAN));
    await removeAll();
    clean = lab.snapshot();
  });
  after(() => lab?.[Symbol.dispose]());

  for (const call of Object.keys(LEAST) as Call[])
    for (const [what, then] of [
      ["dockerd's calls leave nothing of it", async () => {}],
      ['the next start reverts what was half done', start],
      [
        'it can be repeated',
        async (): Promise<void> => {
          await createNetwork(lab.core, networkRequest(LAN));
          await offerEndpoint(lab.core, parentedOffer(LAN));
        },
      ],
    ] as const)
      it(`${call}: ${what}`, async () => {
        let n = 0;
        for (; n < MOST_STEPS; n++) {
          await prepare(call);
          const died = dies(call, n);
          await then();
          await removeAll();
          // A network that never came to be has no holder to delete it: the next start does.
          await start();
          assertSame(lab.snapshot(), clean, `step ${n}`);
          if (!died) break;
        }
        assert.ok(n >= LEAST[call] && n < MOST_STEPS, `${n} steps`);
      });
});
