import { strict as assert } from 'node:assert';
import { assertOptions, assertRefused, parseDropIn, parseOwn, refusal } from './config-drivers-support.ts';

const IPAM = { type: 'host-local', subnet: '10.7.0.0/24' };

describe('the keys of driver ptp', () => {
  it('have defaults: no masquerade, and no addresses without IPAM', () => {
    assertOptions('ptp', {}, {});
    assertOptions('ptp', { mtu: 0 }, {});
    for (const { ipam, firewall } of [parseOwn('ptp'), parseDropIn('ptp')]) {
      assert.equal(ipam, undefined);
      assert.equal(firewall.masquerade, undefined);
    }
  });

  it('choose the MTU', () => {
    for (const mtu of [68, 1400, 65_535]) assertOptions('ptp', { mtu }, { mtu });
  });

  it('masquerade as those of the bridge do', () => {
    for (const parse of [parseOwn, parseDropIn]) {
      const { firewall, backendPath } = parse('ptp', { ipMasq: true, ipMasqBackend: 'nftables', ipam: IPAM });
      assert.deepEqual(firewall.masquerade, { except: [], to: {} });
      assert.equal(firewall.backend, 'nftables');
      assert.equal(backendPath, '.ipMasqBackend');
    }
    const outside = { ipMasq: true, nonMasqueradeCIDRs: ['10.0.0.0/8'], outboundAddr4: '192.0.2.9' };
    assert.equal(parseOwn('ptp', outside).firewall.masquerade?.except.length, 1);
  });

  it('publish ports and limit traffic, as isthmus only', () => {
    const runtimeConfig = {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
      bandwidth: { ingressRate: 8000, ingressBurst: 800 },
    };
    const own = parseOwn('ptp', { ipam: IPAM, runtimeConfig });
    assert.equal(own.mappings.length, 1);
    assert.deepEqual(own.bandwidth, { ingress: { rate: 8000, burst: 800 } });
    const dropIn = parseDropIn('ptp', { ipam: IPAM, runtimeConfig });
    assert.deepEqual([dropIn.mappings, dropIn.bandwidth], [[], {}]);
    assert.deepEqual(parseOwn('ptp', { egressRate: 8000, egressBurst: 800 }).bandwidth, {
      egress: { rate: 8000, burst: 800 },
    });
    const message = refusal(() => parseOwn('ptp', { runtimeConfig }));
    assert.match(message, /\.runtimeConfig\.portMappings=.*the network gives no address to lead to\. Give \.ipam/);
  });

  for (const [keys, message] of [
    [{ mtu: 67 }, /\.mtu=67: an MTU here has 68 to 65535 bytes/],
    [{ ipMasq: 'yes' }, /\.ipMasq="yes": it is not a boolean/],
    [{ ipMasqBackend: 'pf' }, /\.ipMasqBackend="pf": it is not a backend here/],
    [{ outboundAddr4: '192.0.2.9' }, /\.outboundAddr4="192\.0\.2\.9": it means something with "ipMasq": true only/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => assertRefused('ptp', keys, message));
});
