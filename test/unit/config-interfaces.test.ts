import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { documentOf } from '../../src/shared/config/document.ts';
import { foreignKeys } from '../../src/shared/config/driver-keys.ts';
import { parseRemoval } from '../../src/shared/config/removal-config.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Json } from '../../src/shared/model/json.ts';
import { DRIVERS, LEAST, OWN_IPAM, parseAs, parseDropIn, parseOwn, refusal } from './config-drivers-support.ts';

interface Shape {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
}

const SCHEMA = new URL('../../src/shared/config/schemas/netconf.schema.json', import.meta.url);
const PROPERTIES: Readonly<Record<string, Shape>> = JSON.parse(readFileSync(SCHEMA, 'utf8')).properties;

/** A value that the schema accepts. */
function sample(key: string): unknown {
  const shape = PROPERTIES[key];
  assert.ok(shape !== undefined, `the schema lacks ${key}`);
  if (shape.enum !== undefined) return shape.enum.at(-1);
  const [type] = [shape.type].flat();
  const samples: Json = { string: 'x', boolean: true, integer: shape.minimum ?? 1, array: [], object: {} };
  return samples[type ?? ''];
}

const isOwn = (type: string): boolean => OWN_IPAM.includes(type);
const POOL = { type: 'host-local', subnet: '10.5.0.0/24', rangeStart: '10.5.0.50' };

describe('the keys of other drivers', () => {
  for (const driver of DRIVERS) {
    it(`are refused as isthmus with driver ${driver}`, () => {
      const keys = foreignKeys(driver);
      assert.ok(keys.includes('isGateway') && keys.includes('vni') && !keys.includes('ipam'));
      for (const key of keys) {
        const value = sample(key);
        const message = refusal(() => parseOwn(driver, { [key]: value }));
        const told = `config .${key}=${JSON.stringify(value)}: means nothing to driver "${driver}". Remove it`;
        assert.equal(message, told);
      }
    });

    it(`are ignored as ${driver}, whatever they hold and however they are spelt`, () => {
      const expected = parseDropIn(driver);
      const key = fc.constantFrom(...foreignKeys(driver), 'colour', '__proto__', 'toString');
      const spelt = fc.tuple(key, fc.boolean()).map(([name, loud]) => (loud ? name.toUpperCase() : name));
      fc.assert(
        fc.property(fc.dictionary(spelt, fc.jsonValue()), (keys) => {
          assert.deepEqual(parseDropIn(driver, keys), expected);
        }),
      );
    });
  }

  it('mean nothing to bridge, host, null and overlay either, and misspelt ones get a hint', () => {
    for (const driver of ['bridge', 'host', 'null', 'overlay'] as const)
      for (const key of ['master', 'vlanId', 'mac', 'pciBusID', 'multiQueue'] as const)
        assert.match(
          refusal(() => parseAs('isthmus', { driver, [key]: sample(key) })),
          new RegExp(`\\.${key}=.*: means nothing to driver "${driver}"`),
        );
    const misspelt = refusal(() => parseOwn('macvlan', { masterr: 'eth0' }));
    assert.match(misspelt, /\.masterr="eth0": there is no such key\. Did you mean master\?/);
    const unknown = refusal(() => parseAs('isthmus', { driver: 'macvtap' }));
    assert.match(unknown, /\.driver="macvtap": it is not known here\. Choose among .*"macvlan"/);
  });
});

const [RUNTIME, ARGS, ENVIRONMENT, KEY] = [1, 2, 3, 4].map((n) => `02:00:00:00:00:0${n}`);
const fromRuntime = { runtimeConfig: { mac: RUNTIME } };
const fromArgs = { args: { cni: { mac: ARGS } } };
const fromEnvironment = { args: `IgnoreUnknown=1;MAC=${ENVIRONMENT};K8S_POD_NAME=x` };

describe('the MAC address of an interface without a bridge', () => {
  for (const driver of ['macvlan', 'tap'] as const)
    for (const [name, parse] of Object.entries({ isthmus: parseOwn, [driver]: parseDropIn }))
      it(`is that of runtimeConfig, args, CNI_ARGS, mac, in this order: ${driver} as ${name}`, () => {
        const key = { mac: KEY };
        assert.equal(parse(driver, { ...fromRuntime, ...fromArgs, ...key }, fromEnvironment).mac, RUNTIME);
        assert.equal(parse(driver, { ...fromArgs, ...key }, fromEnvironment).mac, ARGS);
        assert.equal(parse(driver, key, fromEnvironment).mac, ENVIRONMENT);
        assert.equal(parse(driver, { ...key, runtimeConfig: { mac: '' } }).mac, KEY);
        assert.equal(parse(driver).mac, undefined);
      });

  for (const driver of ['vlan', 'ptp', 'dummy'] as const)
    it(`is what the runtime requests: ${driver} as isthmus, which has no key for it`, () => {
      assert.equal(parseOwn(driver, { ...fromRuntime, ...fromArgs }, fromEnvironment).mac, RUNTIME);
      assert.equal(parseOwn(driver, fromArgs, fromEnvironment).mac, ARGS);
      assert.equal(parseOwn(driver, {}, fromEnvironment).mac, ENVIRONMENT);
      const message = refusal(() => parseOwn(driver, { mac: KEY }));
      assert.match(message, new RegExp(`\\.mac=.*means nothing to driver "${driver}"`));
    });

  for (const [driver, sentence] of [
    ['ipvlan', /an ipvlan interface has the MAC address of its parent\. Remove it, or use driver "macvlan"$/],
    ['host-device', /a device of the host keeps its MAC address\. Remove it, or chain the plugin tuning$/],
  ] as const)
    it(`cannot be requested: ${driver} as isthmus`, () => {
      for (const keys of [fromRuntime, fromArgs]) {
        const message = refusal(() => parseOwn(driver, keys));
        assert.match(message, sentence);
      }
      const message = refusal(() => parseOwn(driver, {}, fromEnvironment), 'bad-environment');
      assert.match(message, sentence);
    });

  for (const driver of ['ipvlan', 'vlan', 'ptp', 'dummy', 'host-device'] as const)
    it(`is not what the runtime requests: ${driver} under its own name, as in the reference`, () => {
      const expected = parseDropIn(driver);
      const keys = { mac: 'zz', runtimeConfig: { mac: 'zz' }, args: { cni: { mac: 7 } } };
      assert.deepEqual(parseDropIn(driver, keys, { args: 'MAC=zz;K8S_POD_NAME=x' }), expected);
    });

  it('is refused with the environment as its place', () => {
    for (const parse of [parseOwn, parseDropIn]) {
      const message = refusal(() => parse('macvlan', {}, { args: 'MAC=zz' }), 'bad-environment');
      assert.match(message, /CNI_ARGS MAC="zz": is no MAC address/);
      const unknown = refusal(() => parse('macvlan', {}, { args: 'K8S_POD_NAME=x' }), 'bad-environment');
      assert.match(unknown, /unknown args K8S_POD_NAME/);
    }
  });
});

describe('what every interface without a bridge has', () => {
  it('its own dns only if the configuration gives one: IPAM keeps its', () => {
    const dns = { nameservers: ['10.0.0.53'] };
    for (const driver of DRIVERS)
      for (const parse of [parseOwn, parseDropIn]) {
        assert.deepEqual(parse(driver, { dns }).dns, dns);
        for (const keys of [{}, { dns: {} }]) assert.equal(parse(driver, keys).dns, undefined);
      }
  });

  it('IPAM: the built-in one, static, a foreign plugin, or none', () => {
    for (const driver of DRIVERS)
      for (const parse of [parseOwn, parseDropIn]) {
        assert.equal(parse(driver, { ipam: POOL }).ipam?.kind, 'pool');
        const addresses = [{ address: '10.9.0.2/24' }];
        assert.equal(parse(driver, { ipam: { type: 'static', addresses } }).ipam?.kind, 'static');
        assert.deepEqual(parse(driver, { ipam: { type: 'dhcp' } }).ipam, { kind: 'delegate', type: 'dhcp' });
        for (const keys of [{}, { ipam: {} }]) assert.equal(parse(driver, keys).ipam, undefined);
      }
  });

  it('aliases, and a STATUS that only logs', () => {
    const keys = { exhaustedStatus: 'log', runtimeConfig: { aliases: { web: ['a'] } } };
    for (const driver of DRIVERS) {
      const config = parseOwn(driver, keys);
      assert.deepEqual(config.aliases, ['a']);
      assert.equal(config.exhaustedStatus, 'log');
    }
  });

  it('neither ports nor limits without a side on the host', () => {
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    const bandwidth = { ingressRate: 8000, ingressBurst: 800 };
    for (const driver of DRIVERS.filter((name) => name !== 'ptp')) {
      const ports = refusal(() => parseOwn(driver, { ipam: POOL, runtimeConfig: { portMappings } }));
      assert.match(ports, /\.runtimeConfig\.portMappings=.*not on the way to .*"\. Remove the capability portMappings/);
      const limits = refusal(() => parseOwn(driver, { runtimeConfig: { bandwidth } }));
      assert.match(limits, /\.runtimeConfig\.bandwidth=.*has no side on the host.*Remove the capability bandwidth/);
      const none = { portMappings: [], bandwidth: { ingressRate: 0, ingressBurst: 0 } };
      assert.deepEqual(parseOwn(driver, { runtimeConfig: none }).bandwidth, {});
      const { mappings, bandwidth: rates } = parseDropIn(driver, { runtimeConfig: { portMappings, bandwidth } });
      assert.deepEqual([mappings, rates], [[], {}]);
    }
  });

  for (const driver of DRIVERS)
    it(`no error but NetError, for any JSON: ${driver}`, () => {
      const key = fc.constantFrom(...Object.keys(PROPERTIES).filter((name) => name !== 'driver'));
      const near = key.chain((name) =>
        fc.tuple(fc.constant(name), fc.oneof(fc.jsonValue(), fc.constant(sample(name)))),
      );
      const keys = fc.array(near, { maxLength: 6 }).map((entries) => Object.fromEntries(entries));
      const command = fc.constantFrom('ADD', 'CHECK', 'STATUS');
      fc.assert(
        fc.property(keys, command, fc.string(), fc.boolean(), (json, which, args, own) => {
          try {
            (own ? parseOwn : parseDropIn)(driver, json, { command: which, args });
          } catch (error) {
            if (!(error instanceof NetError)) throw error;
            assert.notEqual(error.kind, 'internal', error.message);
            assert.notEqual(error.hint, '', error.message);
          }
        }),
      );
    });
});

describe('DEL of an interface without a bridge', () => {
  for (const driver of DRIVERS)
    it(`needs no key of driver ${driver}`, () => {
      const wrong = { ...LEAST[driver], master: 7, vlanId: 'x', device: {}, mode: [], ipam: POOL };
      for (const plugin of [driver, 'isthmus'] as const) {
        const remove = (json: Json) => parseRemoval(documentOf({ name: 'web', driver, ...json }), { plugin, isOwn });
        const pool = { kind: 'pool', dataDir: '/var/lib/cni/networks' };
        assert.deepEqual(remove(wrong), { name: 'web', driver, ipam: pool });
        assert.deepEqual(remove({}), { name: 'web', driver });
        assert.deepEqual(remove({ ipam: { type: 'dhcp' } }).ipam, { kind: 'delegate', type: 'dhcp' });
      }
    });
});
