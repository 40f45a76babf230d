import { netnsMissing } from '../support/netns.ts';
import { ADDRESSES, HOST, makePodSite, NODE_POD, type PodSite, SERVICE } from '../support/pod-site.ts';
import { skipIf } from '../support/skip.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { FAMILIES, PROTOCOLS, PUBLISHED, published, service } from './firewaller-fixture.ts';

/** Shows that the site detects the faults that the firewallers' tests look for, with rules that have them. */
describe('the pod site of the traffic tests', () => {
  let site: PodSite;
  const rules = (text: string): void => {
    site.host.run('sh', '-c', `nft flush ruleset; nft -f - <<'END'\n${text}\nEND`);
  };

  before(async function () {
    skipIf(this, netnsMissing());
    site = await makePodSite();
  });
  after(() => site?.[Symbol.dispose]());

  for (const family of FAMILIES) {
    it(`routes without rules, and shows true sources, IPv${family}`, async () => {
      const { a1, outside } = ADDRESSES[family];
      const { agents, hostAgent } = site;
      await assertTraffic(
        PROTOCOLS.flatMap((protocol): Expectation[] => [
          [agents.a1, service(family, 'a2', protocol), `a2 saw ${a1}`],
          [agents.a1, service(family, 'b1', protocol), `b1 saw ${a1}`],
          [agents.a1, service(family, 'outside', protocol), `outside saw ${a1}`],
          [agents.a1, { protocol, address: NODE_POD[family], port: SERVICE }, `node saw ${a1}`],
          [agents.a1, service(family, 'stranger', protocol), 'silent'],
          [agents.outside, service(family, 'stranger', protocol), `stranger saw ${outside}`],
          [agents.outside, service(family, 'a1', protocol), `a1 saw ${outside}`],
          [agents.outside, published(family, 'outside', { protocol }), 'refused'],
          [hostAgent, service(family, 'a1', protocol), `a1 saw ${HOST[family].a1}`],
        ]),
      );
    });
  }

  it('detects a port of 127.0.0.1 that is open to intruders', async () => {
    const { a1, outside, b1 } = ADDRESSES[4];
    rules(`table ip careless {
      chain pre { type nat hook prerouting priority -100; ip daddr 127.0.0.1 tcp dport ${PUBLISHED} dnat to ${a1}:${SERVICE}; }
    }`);
    const target = published(4, 'outside', { address: '127.0.0.1' });
    await assertTraffic([
      [site.agents.outside, target, `a1 saw ${outside}`],
      [site.agents.b1, target, `a1 saw ${b1}`],
    ]);
  });

  it('detects forwarded traffic that is hijacked', async () => {
    const { a2, outside } = ADDRESSES[4];
    rules(`table ip careless {
      chain pre { type nat hook prerouting priority -100; tcp dport ${SERVICE} dnat to ${a2}; }
    }`);
    await assertTraffic([[site.agents.outside, service(4, 'stranger'), `a2 saw ${outside}`]]);
  });

  it('detects masqueraded frames inside a bridge when they are filtered', async () => {
    rules(`table ip careless {
      chain post { type nat hook postrouting priority 100; ip saddr 10.81.0.0/24 masquerade; }
    }`);
    await assertTraffic([[site.agents.a1, service(4, 'a2'), `a2 saw ${HOST[4].a1}`]]);
    site.bridgeFilter(false);
    await assertTraffic([[site.agents.a1, service(4, 'a2'), `a2 saw ${ADDRESSES[4].a1}`]]);
    site.bridgeFilter(true);
  });
});
