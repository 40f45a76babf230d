import { docker, dockerMissing } from '../support/docker.ts';
import type { Matrix } from '../support/matrix.ts';
import type { Backend } from '../support/matrix-ours.ts';
import { makeReachSite, type ReachSite } from '../support/matrix-site.ts';
import { ALL, measureForeign, testReach } from '../support/matrix-tests.ts';
import { skipIf } from '../support/skip.ts';

interface Step {
  readonly title: string;
  readonly take: (site: ReachSite) => Promise<void> | void;
}

/** What comes after our networks, one after the other. */
const STEPS: readonly Step[] = [
  {
    title: "then libvirt's networks and dockerd's",
    async take(site) {
      await site.addBridges();
      await site.startDocker();
      site.forward('ACCEPT');
    },
  },
  { title: 'then FORWARD policy DROP', take: (site) => site.forward('DROP') },
  {
    title: "then libvirt's and dockerd's rules at the head of FORWARD once more",
    take(site) {
      site.startLibvirt();
      docker(site.host, 'network', 'create', 'more');
      docker(site.host, 'network', 'rm', 'more');
    },
  },
];

for (const backend of (ALL ? ['nftables', 'iptables'] : ['nftables']) satisfies Backend[]) {
  describe(`who reaches whom where our networks come first (${backend})`, function () {
    this.timeout(180_000);
    const without: Matrix[] = [];
    let site: ReachSite;

    before('the matrices without our networks, then our networks', async function () {
      skipIf(this, dockerMissing());
      {
        await using other = await makeReachSite();
        for (const { title, take } of STEPS) {
          await take(other);
          without.push(await measureForeign(other, `without us, ${title}`));
        }
      }
      site = await makeReachSite();
      await site.addOurs(backend);
    });

    after('the test host', () => site?.[Symbol.asyncDispose]());

    for (const [index, { title, take }] of STEPS.entries()) {
      describe(title, () => {
        before(title, async () => {
          await take(site);
          if (index === 0) await site.addOurContainers();
        });

        testReach(`${backend} first, ${title}`, () => ({
          site,
          surroundings: { backend, before: without[index] ?? new Map() },
        }));
      });
    }
  });
}
