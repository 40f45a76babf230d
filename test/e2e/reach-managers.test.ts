import type { Matrix } from '../support/matrix.ts';
import type { Surroundings } from '../support/matrix-expected.ts';
import { MANAGERS, managerMissing } from '../support/matrix-managers.ts';
import { type Backend, makeReachSite, type ReachSite } from '../support/matrix-site.ts';
import { ALL, measureForeign, testReach } from '../support/matrix-tests.ts';
import { skipIf } from '../support/skip.ts';

const BACKENDS: readonly Backend[] = ALL ? ['nftables', 'iptables'] : ['nftables'];

for (const manager of MANAGERS) {
  describe(`who reaches whom beside ${manager.title}`, function () {
    this.timeout(180_000);
    let site: ReachSite;
    let without: Matrix = new Map();

    before('the matrix without our networks', async function () {
      skipIf(this, managerMissing(manager));
      site = await makeReachSite();
      await site.addBridges();
      await manager.start(site.host);
      without = await measureForeign(site, `${manager.title}, without us`);
    });

    after('the test host', () => site?.[Symbol.asyncDispose]());

    for (const backend of BACKENDS) {
      const { banned = [], opensHost = false } = manager;
      const made = (): { site: ReachSite; surroundings: Surroundings } => ({
        site,
        surroundings: { backend, before: without, banned, opensHost },
      });

      describe(`${manager.title} first, then our networks (${backend})`, () => {
        before('our networks', () => site.addOurs(backend));
        testReach(`${manager.title}, then us, ${backend}`, made);

        for (const [change, apply] of Object.entries(manager.changes)) {
          describe(change, () => {
            before(change, () => apply(site.host));
            testReach(`${manager.title}, then us, ${backend}, ${change}`, made);
          });
        }

        after('no network of ours', () => site.removeOurs());
      });

      describe(`our networks first (${backend}), then ${manager.title}`, () => {
        before('our networks, then the manager', async () => {
          await manager.stop(site.host);
          await site.addOurs(backend);
          await manager.start(site.host);
        });
        testReach(`we, ${backend}, then ${manager.title}`, made);
        after('no network of ours', () => site.removeOurs());
      });
    }
  });
}
