import { strict as assert } from 'node:assert';
import { missingEsp } from '../../src/shared/core/remote/esp.ts';
import type { View } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { Secret } from '../../src/shared/model/secret.ts';
import type { XfrmPolicy, XfrmState } from '../../src/shared/model/xfrm.ts';
import { EEXIST } from '../../src/shared/netlink/constants.ts';
import { skipIf } from '../support/skip.ts';
import { failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

const key = new Secret(Buffer.alloc(20, 7));
const STATE: XfrmState = { src: '192.0.2.7', dst: '192.0.2.8', spi: 0x1000, reqid: 7, key };
const ENDS = { family: 4, src: '192.0.2.7', dst: '192.0.2.8', port: 4790 } as const;
const OUT: XfrmPolicy = { direction: 'out', ...ENDS, priority: 100, through: { reqid: 7, spi: 0x1000 } };
const BLOCK: XfrmPolicy = { direction: 'in', family: 6, port: 4790, priority: 200 };

/** What encrypted networks ask of a host: associations and policies of ESP. */
export function describeTransforms(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const revert = (...ops: Op[]) => fixture.host.revert(ops, fixture.namespaces);
  const seen = (): Pick<View, 'states' | 'policies'> => {
    const { states, policies } = fixture.host.observe(fixture.namespaces.host, { transforms: true });
    const order = (policy: XfrmPolicy): string => `${policy.direction} ${policy.src} ${policy.dst}`;
    return { states, policies: policies.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)) };
  };
  const policy = (op: 'replace' | 'delete', one: XfrmPolicy): Op => ({
    op: `xfrm.policy.${op}`,
    ns: 'host',
    policy: one,
  });
  const state = (op: 'add' | 'delete', one: XfrmState): Op => ({ op: `xfrm.state.${op}`, ns: 'host', state: one });
  /** The host's own namespace answers for the kernel; the associations of the tests are in others. */
  const missing = (): string | undefined => missingEsp(fixture.host, 4) ?? missingEsp(fixture.host, 6);

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('keeps one policy for each direction, addresses and port', () => {
    assert.deepEqual(seen(), { states: [], policies: [] });
    const back: XfrmPolicy = { ...OUT, direction: 'in', src: OUT.dst ?? '', dst: OUT.src ?? '' };
    apply(policy('replace', OUT), policy('replace', BLOCK), policy('replace', back));
    assert.deepEqual(
      seen().policies,
      [BLOCK, back, OUT].toSorted((a, b) => (`${a.direction} ${a.src}` < `${b.direction} ${b.src}` ? -1 : 1)),
    );
    const turned = { ...OUT, through: { reqid: 7, spi: 0x2000 } };
    apply(policy('replace', turned));
    assert.deepEqual(
      seen().policies.filter(({ direction }) => direction === 'out'),
      [turned],
    );
    assert.deepEqual(revert(policy('delete', OUT), policy('delete', BLOCK), policy('delete', back)), []);
    assert.deepEqual(seen().policies, []);
    assert.deepEqual(revert(policy('delete', OUT)), [], 'absence is success');
  });

  it('keeps one association for each destination and SPI', function () {
    skipIf(this, missing());
    apply(state('add', STATE), state('add', { ...STATE, spi: 0x1001, seconds: 60 }));
    const { key: _, ...info } = STATE;
    const spis = (): number[] =>
      seen()
        .states.map(({ spi }) => spi)
        .sort();
    assert.deepEqual(
      seen().states.find(({ spi }) => spi === STATE.spi),
      info,
    );
    assert.deepEqual(spis(), [0x1000, 0x1001]);
    failure(() => apply(state('add', STATE)), 'exists', EEXIST);
    assert.deepEqual(revert(state('delete', { ...STATE, src: '192.0.2.9' })), [], 'that of another source is absent');
    assert.deepEqual(spis(), [0x1000, 0x1001]);
    assert.deepEqual(revert(state('delete', STATE), state('delete', STATE)), []);
    assert.deepEqual(spis(), [0x1001]);
  });
}
