import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { filterLock } from '../support/filter-lock.ts';
import { iptablesTools } from '../support/filter-tools.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';
import { describeMarks } from './firewaller-marks.ts';

describeFirewaller(
  'iptables-legacy',
  (ns) => openFirewaller('iptables', ns, { variant: 'legacy', lock: filterLock }),
  iptablesTools('legacy'),
  (fixture) => describeMarks(fixture, 'legacy'),
);
