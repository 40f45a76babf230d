import { strict as assert } from 'node:assert';
import { desired } from '../../src/shared/core/desired.ts';
import { answerOf } from '../../src/shared/firewall/firewalld-bus.ts';
import { type ZoneRule, zonesOf } from '../../src/shared/firewall/firewalld-rules.ts';
import { prefixesIn } from '../../src/shared/firewall/firewalld-sources.ts';

const rule = (target: string, name?: string, isPrefix = false): ZoneRule =>
  name === undefined ? { target } : { device: { name, isPrefix }, target };

const RULES: readonly ZoneRule[] = [
  rule('filter_FWD_trusted', 'isth0'),
  rule('filter_FWDI_trusted', 'old0'),
  rule('filter_FWD_drop', 'isth1'),
  rule('filter_FWD_internal', 'vm', true),
  rule('filter_FWD_public'),
];

describe('zones in the rules of firewalld', () => {
  const zones = zonesOf(RULES, (chain) => chain.endsWith('trusted'));

  it('finds the zone of a device by the first rule that matches', () => {
    const states = ['isth0', 'isth1', 'isth2', 'vm7', 'isth'].map((name) => zones.stateOf(name));
    assert.deepEqual(states, ['accepts', 'drops', 'none', 'drops', 'none']);
    const names = ['isth0', 'old0', 'isth1', 'isth2', 'vm7'].map((name) => zones.zoneOf(name));
    assert.deepEqual(names, ['trusted', 'trusted', 'drop', undefined, undefined]);
  });

  it('needs no zone where the default zone accepts, and is in none while firewalld builds its rules', () => {
    assert.equal(zonesOf([rule('filter_FWD_trusted')], () => true).stateOf('isth0'), 'accepts');
    assert.equal(zonesOf([], () => true).stateOf('isth0'), 'none');
  });
});

describe('answers of firewalld', () => {
  const answers: readonly [string, string][] = [
    ['s "public"\n', 'public'],
    ['s ""\n', ''],
    ['   public\n', 'public'],
    ['   \n', ''],
    ['public\n', 'public'],
  ];
  for (const [output, text] of answers)
    it(`${JSON.stringify(output)} is the zone "${text}"`, () => {
      assert.deepEqual(answerOf({ ok: true, output, error: '' }), { ok: true, text, output });
    });

  const lists: readonly (readonly [string, ...string[]])[] = [
    ['as 0\n'],
    ['as 3 "10.88.0.2/32" "fd00:88:0::2/128" "10.0.0.0/8"\n', '10.88.0.2/32', 'fd00:88::2/128', '10.0.0.0/8'],
    ['   array [\n      10.88.0.2/32\n      fd00:88::2\n   ]\n', '10.88.0.2/32', 'fd00:88::2/128'],
    ['10.88.0.2 fd00:88::2/128 00:11:22:33:44:55 ipset:web\n', '10.88.0.2/32', 'fd00:88::2/128'],
    ['\n'],
  ];
  for (const [output, ...prefixes] of lists)
    it(`${JSON.stringify(output)} lists ${prefixes.join(', ') || 'no prefix'}`, () => {
      assert.deepEqual(prefixesIn(output), prefixes);
    });

  it('a part in a zone adds its own sources, and its removal takes out those alone', () => {
    const attachment = { camp: 'cni', network: 'web', containerId: 'a', ifName: 'eth0' } as const;
    const sandbox = { path: '/run/netns/a', id: '' } as const;
    const part = { kind: 'firewall', role: 'firewall', attachment, sandbox, progress: 'intent' } as const;
    const entries = [{ kind: 'source', zone: 'work', source: '10.88.0.2/32' }] as const;
    const { ops, undo } = desired({ ...part, zone: { name: 'work', sources: ['10.88.0.2/32'] } });
    assert.deepEqual(ops, [{ op: 'firewall.add', ns: 'host', backend: 'firewalld', entries }]);
    assert.deepEqual(undo, [{ op: 'firewall.delete', ns: 'host', backend: 'firewalld', entries }]);
    for (const none of [part, { ...part, zone: { name: 'work', sources: [] } }])
      assert.deepEqual([desired(none).ops, desired(none).undo], [[], []]);
  });

  const errors: readonly [string, string | undefined][] = [
    ["Call failed: ZONE_CONFLICT: 'isth0' already bound to 'public'", 'ZONE_CONFLICT'],
    ["Error org.fedoraproject.FirewallD1.Exception: ZONE_ALREADY_SET: 'isth0' already bound", 'ZONE_ALREADY_SET'],
    ['Error: ZONE_CONFLICT: already bound', 'ZONE_CONFLICT'],
    ['Call failed: Name "org.fedoraproject.FirewallD1" does not exist', undefined],
    ['Failed to connect to bus: No such file or directory', undefined],
  ];
  for (const [error, code] of errors)
    it(`${code ?? 'no code'} in: ${error}`, () => {
      assert.equal(answerOf({ ok: false, output: '', error }).code, code);
    });
});
