import { dockerMissing } from '../support/docker.ts';
import { type Matrix, NO, UNCHANGED } from '../support/matrix.ts';
import type { Backend } from '../support/matrix-ours.ts';
import { type DockerKinds, type ForwardPolicy, makeReachSite, type ReachSite } from '../support/matrix-site.ts';
import { ALL, assertAnswers, measureForeign, testReach } from '../support/matrix-tests.ts';
import { skipIf } from '../support/skip.ts';

interface Setup {
  readonly title: string;
  readonly docker: DockerKinds;
  readonly iptables?: 'legacy';
  readonly rounds: readonly { readonly policy: ForwardPolicy; readonly backends: readonly Backend[] }[];
}

const BOTH: readonly Backend[] = ['nftables', 'iptables'];

const roundOf = (policy: ForwardPolicy): Setup['rounds'][number] => ({ policy, backends: BOTH });

const FURTHER: readonly Setup[] = [
  { title: 'dockerd without a userland proxy', docker: { proxy: false } },
  { title: 'dockerd that leaves IPv6 alone', docker: { filters6: false } },
  { title: 'dockerd with iptables-legacy', docker: {}, iptables: 'legacy' as const },
].map((setup) => ({ ...setup, rounds: [roundOf('ACCEPT'), roundOf('DROP')] }));

const SETUPS: readonly Setup[] = [
  {
    title: 'dockerd',
    docker: {},
    rounds: [
      { policy: 'ACCEPT', backends: ALL ? BOTH : ['nftables'] },
      { policy: 'DROP', backends: ALL ? BOTH : ['iptables'] },
    ],
  },
  ...(ALL ? FURTHER : []),
];

for (const { title, docker, iptables, rounds } of SETUPS) {
  describe(`who reaches whom, beside ${title}, libvirt's bridges and plain ones`, function () {
    this.timeout(180_000);
    let site: ReachSite;

    before('foreign ends', async function () {
      skipIf(this, dockerMissing());
      site = await makeReachSite(iptables);
      await site.startDocker(docker);
      await site.addBridges();
    });

    after('the test host', () => site?.[Symbol.asyncDispose]());

    for (const { policy, backends } of rounds) {
      describe(`FORWARD policy ${policy}`, () => {
        let without: Matrix;

        before('the matrix without our networks', async () => {
          site.forward(policy);
          without = await measureForeign(site, `${title}, ${policy}, without us`);
        });

        it('precondition: published ports are reached, internal and isolated networks are not', () => {
          // docker-proxy carries IPv6 that dockerd does not translate, and hides the source.
          const kinds = docker.filters6 === false ? ['tcp4', 'udp4'] : undefined;
          assertAnswers(without, 'outside → u1 * published', UNCHANGED, kinds);
          assertAnswers(without, 'u1 → outside * unpublished', 'yes (host:up0)', kinds);
          for (const pair of ['u1 → u2', 'u1 → int', 'int → p1'])
            assertAnswers(without, `${pair} * unpublished`, NO, kinds);
          for (const pair of ['u1 → vmiso', 'vmiso → u1']) assertAnswers(without, `${pair} * unpublished`, NO);
          assertAnswers(without, 'p1 → p2 * unpublished', policy === 'ACCEPT' ? UNCHANGED : NO);
        });

        for (const backend of backends) {
          describe(`with networks of ours (${backend})`, () => {
            before('our networks', () => site.addOurs(backend));
            after('no network of ours', () => site.removeOurs());

            testReach(`${title}, ${policy}, ${backend}`, () => ({
              site,
              surroundings: { backend, before: without, ...docker },
            }));
          });
        }
      });
    }
  });
}
