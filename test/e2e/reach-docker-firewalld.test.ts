import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { dockerMissing } from '../support/docker.ts';
import { FIREWALLD, membersOf, startFirewalld } from '../support/firewalld.ts';
import { type Matrix, NO, UNCHANGED } from '../support/matrix.ts';
import type { Backend } from '../support/matrix-ours.ts';
import { makeReachSite, type ReachSite } from '../support/matrix-site.ts';
import { ALL, assertAnswers, measureForeign, testReach } from '../support/matrix-tests.ts';
import { skipIf } from '../support/skip.ts';

/** On docker0, on another network, and on an internal one. */
const CONTAINERS = ['d0', 'u1', 'int'];

/** dockerd 20.10 puts no internal network into a zone. */
const ZONE = ['br-user1', 'docker0'];

/**
 * The rules of dockerd that it makes again after a reload. It forgets those that close its networks to each other
 * (chain DOCKER-ISOLATION-STAGE-2, 20.10).
 */
const RULES = `rules() {
  for t in iptables ip6tables; do $t-save; done | grep -E 'docker0|br-|DOCKER' | grep -Ev 'STAGE-2|ISTHMUS|-i isth' | sort -u
}
order() {
  for t in iptables ip6tables; do $t-save -t filter; done | grep -E '^-A FORWARD.*(docker0|br-|DOCKER)' || true
}`;
/** Seconds without a change after which dockerd has put its rules in order: it moves jumps after all rules are there. */
const QUIET = 1.5;
const RELOADS = ['--reload', '--complete-reload'];
const BACKENDS: readonly Backend[] = ALL ? ['nftables', 'iptables'] : ['nftables'];

async function startBoth(site: ReachSite): Promise<void> {
  await startFirewalld(site.host);
  await site.startDocker({ only: CONTAINERS });
}

describe('who reaches whom beside firewalld and a dockerd in its zone docker', function () {
  this.timeout(180_000);
  let site: ReachSite;
  let without: Matrix;
  let reloaded: Matrix;

  const shell = (script: string): string => site.host.run('sh', '-c', `set -e\n${RULES}\n${script}`);
  const zone = (): string[] => membersOf(site.host, 'docker', 'Interfaces');
  /** dockerd has heard of it, and its rules are there again and in their order, which takes it some seconds. */
  const reload = (how: string): void => {
    shell(`rules >/run/isth/docker.rules; firewall-cmd ${how}
      until [ "$(rules)" = "$(cat /run/isth/docker.rules)" ] && [ "$now" = "$(order)" ]; do now=$(order); sleep ${QUIET}; done`);
    assert.deepEqual(zone(), ZONE);
  };

  before('foreign ends, and their matrices', async function () {
    const firewalld = existsSync(FIREWALLD) ? undefined : `${FIREWALLD} is missing: install firewalld`;
    skipIf(this, dockerMissing() ?? firewalld);
    site = await makeReachSite();
    await site.addPlainBridges(2);
    await startBoth(site);
    without = await measureForeign(site, 'firewalld, then dockerd, without us');
    reload('--reload');
    reloaded = await measureForeign(site, 'firewalld, then dockerd, reloaded, without us');
  });

  after('the test host', () => site?.[Symbol.asyncDispose]());

  it('precondition: firewalld drops what comes from outside, dockerd publishes ports and separates its networks', () => {
    assert.deepEqual(zone(), ZONE);
    for (const pair of ['outside → p1', 'd0 → u1', 'u1 → int']) assertAnswers(without, `${pair} * unpublished`, NO);
    assertAnswers(without, 'outside → u1 * published', UNCHANGED);
    assertAnswers(reloaded, 'outside → u1 * published', UNCHANGED);
  });

  for (const backend of BACKENDS) {
    const surroundings = { backend, tables: true, opensHost: true };

    describe(`with networks of ours (${backend})`, () => {
      const test = (title: string): void =>
        testReach(`firewalld, then dockerd, then us, ${backend}, ${title}`, () => ({
          site,
          surroundings: { ...surroundings, before: reloaded },
        }));

      before('our networks', () => site.addOurs(backend));
      after('no network of ours', () => site.removeOurs());
      test('at first');

      for (const how of RELOADS)
        describe(`firewall-cmd ${how}`, () => {
          before(how, () => reload(how));
          test(how);
        });
    });

    if (ALL)
      describe(`our networks first (${backend})`, () => {
        let other: ReachSite;

        before('our networks, then firewalld and dockerd', async () => {
          other = await makeReachSite();
          await other.addPlainBridges(2);
          await other.addOurs(backend);
          await startBoth(other);
          await other.addOurContainers();
        });
        after('the test host', () => other?.[Symbol.asyncDispose]());

        testReach(`we, ${backend}, then firewalld and dockerd`, () => ({
          site: other,
          surroundings: { ...surroundings, before: without },
        }));
      });
  }
});
