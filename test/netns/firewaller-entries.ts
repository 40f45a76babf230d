import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { ADDRESSES, HOST, NODE_RANGE, OTHER, SECOND } from '../support/pod-site.ts';
import type { Expectation } from '../support/traffic.ts';
import {
  direct,
  FAMILIES,
  type FirewallerFixture,
  hairpin,
  masquerade,
  peer,
  policy,
  port,
  published,
  service,
  underlay,
} from './firewaller-fixture.ts';

/** One of each kind, for both families. */
export function oneOfEach({ tools }: FirewallerFixture): FirewallEntry[] {
  const perFamily = FAMILIES.flatMap((family): FirewallEntry[] => {
    const { a2, outside } = ADDRESSES[family];
    return [
      masquerade(family, { except: [NODE_RANGE[family]], to: SECOND[family] }),
      hairpin(family),
      port(family),
      port(family, { protocol: 'udp' }),
      port(family, { protocol: 'sctp' }),
      port(family, { hostIp: HOST[family].outside, address: a2 }),
      port(family, { hostPort: 9001, snat: false }),
      port(family, { hostPort: 9002, masqAll: true }),
      port(family, { hostPort: 9003, hostIp: HOST[family].outside, masqAll: true, snat: false }),
      port(family, { hostPort: 9004, conditions: [tools.from(outside)] }),
      direct(family, { address: a2, port: OTHER }),
      direct(family, { address: a2, protocol: 'sctp' }),
      { kind: 'exposure', device: 'br-a', family, what: 'icmp' },
      { kind: 'exposure', device: 'br-b', family, what: 'all' },
      underlay(family),
      peer(family),
    ];
  });
  return [...perFamily, policy('br-a', 'closed'), policy('br-b', 'isolated')];
}

/** The traffic that passes and the traffic that does not while these entries exist. */
export function whatPasses({ site }: FirewallerFixture): Expectation[] {
  const { agents } = site;
  return FAMILIES.flatMap((family): Expectation[] => {
    const { outside, stranger } = ADDRESSES[family];
    return [
      [agents.outside, published(family, 'outside'), `a2 saw ${outside}`],
      [agents.stranger, published(family, 'stranger'), `a1 saw ${stranger}`],
      [agents.outside, published(family, 'outside', { protocol: 'udp' }), `a1 saw ${outside}`],
      [agents.outside, published(family, 'outside', { port: 9004 }), `a1 saw ${outside}`],
      [agents.a2, published(family, 'stranger'), `a1 saw ${HOST[family].a1}`],
      [agents.a1, published(family, 'stranger'), `a1 saw ${HOST[family].a1}`],
      [agents.a1, service(family, 'outside'), `outside saw ${SECOND[family]}`],
      [agents.outside, service(family, 'a1'), 'blocked'],
      [agents.outside, { address: ADDRESSES[family].a2, port: OTHER }, `a2 saw ${outside}`],
      [agents.outside, service(family, 'a2'), 'blocked'],
      [agents.outside, service(family, 'b1'), `b1 saw ${outside}`],
    ];
  });
}
