import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { parseBandwidth } from '../../src/shared/config/bandwidth.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Json } from '../../src/shared/model/json.ts';

const GIB = 2 ** 30 * 8;

function refused(config: Json): string {
  try {
    parseBandwidth(config);
  } catch (error) {
    assert.ok(error instanceof NetError && error.kind === 'invalid-config', String(error));
    assert.notEqual(error.hint, '');
    return error.message;
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(config)} was taken` });
}

describe('bandwidth limits of a configuration', () => {
  it("reads the plugin's own keys", () => {
    const own = { ingressRate: 8000, ingressBurst: 800, egressRate: 16_000, egressBurst: 1600 };
    assert.deepEqual(parseBandwidth(own), {
      ingress: { rate: 8000, burst: 800 },
      egress: { rate: 16_000, burst: 1600 },
    });
    assert.deepEqual(parseBandwidth({ egressRate: 1, egressBurst: 1 }), { egress: { rate: 1, burst: 1 } });
  });

  it("falls back to the runtime's keys, in any spelling", () => {
    const bandwidth = { IngressRate: 8000, INGRESSBURST: 800, egressRate: 0, egressBurst: null };
    const limits = { ingress: { rate: 8000, burst: 800 } };
    assert.deepEqual(parseBandwidth({ runtimeConfig: { bandwidth } }), limits);
    assert.deepEqual(parseBandwidth({ RuntimeConfig: { Bandwidth: bandwidth } }), limits);
    const own = { egressRate: 5, egressBurst: 6 };
    assert.deepEqual(parseBandwidth({ ...own, runtimeConfig: { bandwidth } }), { egress: { rate: 5, burst: 6 } });
    assert.deepEqual(parseBandwidth({ ingressRate: 0, runtimeConfig: { bandwidth } }), {});
  });

  it('sets no limits for missing or zero values', () => {
    const zero = { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 };
    for (const config of [{}, zero, { runtimeConfig: {} }, { runtimeConfig: { bandwidth: null } }]) {
      assert.deepEqual(parseBandwidth(config), {});
    }
  });

  it('requires a rate and a burst together', () => {
    assert.match(refused({ ingressRate: 1000 }), /\.ingressRate=1000: .*no ingressBurst/);
    assert.match(refused({ egressBurst: 1000, egressRate: 0 }), /\.egressBurst=1000: .*no egressRate/);
    const bandwidth = { ingressRate: 1, ingressBurst: 1, EgressRate: 7 };
    assert.match(refused({ runtimeConfig: { bandwidth } }), /\.runtimeConfig\.bandwidth\.egressRate=7: /);
  });

  it("requires a burst below 4 GiB, in the reference's units", () => {
    const largest = 4 * GIB - 9;
    assert.equal(parseBandwidth({ egressRate: 1, egressBurst: largest }).egress?.burst, largest);
    assert.match(refused({ egressRate: 1, egressBurst: largest + 1 }), /\.egressBurst=34359738360: .*4 GiB/);
  });

  it('requires whole, non-negative numbers', () => {
    for (const value of [-1, 1.5, '1000', '', true, [], {}, Number.NaN]) {
      assert.match(refused({ ingressRate: value, ingressBurst: 1 }), /\.ingressRate=.* whole number of bits/);
    }
    for (const bandwidth of ['fast', 7, [], true]) {
      assert.match(refused({ runtimeConfig: { bandwidth } }), /\.runtimeConfig\.bandwidth=.*not an object/);
    }
  });

  it('returns limits or an error for any values', () => {
    const value = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(0, null, 2 ** 60, 1e308), fc.jsonValue());
    const keys = { ingressRate: value, ingressBurst: value, egressRate: value, egressBurst: value };
    fc.assert(
      fc.property(fc.record(keys, { requiredKeys: [] }), (config) => {
        try {
          for (const limit of Object.values(parseBandwidth(config))) {
            assert.ok(Number.isSafeInteger(limit.rate) && limit.rate > 0);
            assert.ok(Number.isSafeInteger(limit.burst) && limit.burst > 0 && limit.burst < 4 * GIB);
          }
        } catch (error) {
          assert.ok(error instanceof NetError && error.kind === 'invalid-config', String(error));
        }
      }),
    );
  });
});
