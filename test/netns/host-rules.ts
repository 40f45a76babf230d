import { strict as assert } from 'node:assert';
import type { Op } from '../../src/shared/model/op.ts';
import type { RuleSpec, RuleState } from '../../src/shared/model/rule.ts';
import { ENOENT } from '../../src/shared/netlink/constants.ts';
import { attachOps, failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

const add = (rule: RuleSpec): Op => ({ op: 'rule.add', ns: 'sandbox', rule });
const remove = (rule: RuleSpec): Op => ({ op: 'rule.delete', ns: 'sandbox', rule });

export function describeRules(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const rules = (ns: 'host' | 'sandbox' = 'sandbox'): readonly RuleState[] =>
    fixture.host.observe(fixture.namespaces[ns], { rules: true }).rules;
  /** Without those that every namespace has. */
  const added = (): readonly RuleState[] => rules().filter(({ table }) => table < 253 || table > 255);

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('reads the rules of a new namespace, by family and priority', () => {
    const protocol = 2;
    assert.deepEqual(rules(), [
      { family: 4, table: 255, priority: 0, protocol },
      { family: 4, table: 254, priority: 32_766, protocol },
      { family: 4, table: 253, priority: 32_767, protocol },
      { family: 6, table: 255, priority: 0, protocol },
      { family: 6, table: 254, priority: 32_766, protocol },
    ]);
    assert.deepEqual(fixture.host.observe(fixture.namespaces.sandbox, {}).rules, []);
  });

  it('adds rules with every key, in the namespace of the step', () => {
    const whole: RuleSpec = { family: 4, from: '10.9.0.2/32', table: 300, priority: 7, protocol: 42 };
    apply(
      add(whole),
      add({ family: 6, from: 'fd00:9::2/128', table: 100 }),
      add({ family: 4, table: 101, priority: 8 }),
    );
    assert.deepEqual(added(), [
      whole,
      { family: 4, table: 101, priority: 8, protocol: 0 },
      { family: 6, from: 'fd00:9::2/128', table: 100, priority: 32_765, protocol: 0 },
    ]);
    assert.equal(rules('host').length, 5);
  });

  it('gives a rule without a priority one below the second rule', () => {
    const rule: RuleSpec = { family: 4, from: '10.9.0.0/16', table: 100 };
    apply(add(rule), add(rule));
    assert.deepEqual(
      added().map(({ priority }) => priority),
      [32_764, 32_765],
    );
  });

  it('refuses a rule that exists', () => {
    const rule: RuleSpec = { family: 4, from: '10.9.0.2/32', table: 100, priority: 7 };
    apply(add(rule));
    const error = failure(() => apply(add(rule)), 'exists');
    assert.match(error.message, /^rule\.add rule from 10\.9\.0\.2\/32 table 100: it was not added; it exists already/);
    assert.equal(added().length, 1);
  });

  it('deletes the first rule that has the given keys', () => {
    const rule: RuleSpec = { family: 4, from: '10.9.0.2/32', table: 100 };
    apply(add({ ...rule, priority: 9 }), add({ ...rule, priority: 7 }), add({ family: 6, table: 100, priority: 5 }));
    apply(remove(rule));
    assert.deepEqual(
      added().map(({ priority }) => priority),
      [9, 5],
    );
    failure(() => apply(remove({ ...rule, priority: 7 })), 'kernel', ENOENT);
    assert.deepEqual(fixture.host.revert([remove({ ...rule, priority: 7 })], fixture.namespaces), []);
  });

  it('refuses a prefix of the other family', () => {
    failure(() => apply(add({ family: 4, from: 'fd00:9::2/128', table: 100 })), 'internal');
    failure(() => apply(add({ family: 6, from: 'nonsense', table: 100 })), 'internal');
  });

  it('reads the routes of the table that a rule names', () => {
    const route = {
      dst: '0.0.0.0/0',
      gateway: '169.254.1.1',
      dev: 'eth0',
      source: '10.9.0.2',
      onlink: true,
      table: 300,
    };
    const route6 = { dst: '::/0', gateway: 'fe80::1', dev: 'eth0', onlink: true, table: 300 };
    apply(...attachOps(), { op: 'route.add', ns: 'sandbox', route }, { op: 'route.add', ns: 'sandbox', route: route6 });
    const { routes } = fixture.host.observe(fixture.namespaces.sandbox, { routes: true });
    assert.deepEqual(
      routes.filter(({ table }) => table === 300),
      [
        { ...route, scope: 'global', protocol: 3 },
        { ...route6, scope: 'global', protocol: 3, priority: 1024 },
      ],
    );
  });
}
