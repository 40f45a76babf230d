import { strict as assert } from 'node:assert';
import type { Op } from '../../src/shared/model/op.ts';
import { isTbf, type ShapingState } from '../../src/shared/model/shaping.ts';
import { EEXIST, ENODEV, ENOENT } from '../../src/shared/netlink/constants.ts';
import { BRIDGE, failure, type HostFixture, type MakeFixture, vethOp } from './host-fixture.ts';

const BUCKET = { rate: 1_000_000, burst: 20_000, latency: 25 };
const IFB: Op = { op: 'link.create', ns: 'host', name: 'ifb7', link: { kind: 'ifb' }, mtu: 1400, up: true };

export function describeShaping(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const revert = (...ops: Op[]) => fixture.host.revert(ops, fixture.namespaces);
  const shaping = (dev: string): ShapingState | undefined =>
    fixture.host.observe(fixture.namespaces.host, { shaping: [dev] }).shaping.get(dev);
  const tbf = (op: 'add' | 'delete', dev: string, bucket = BUCKET): Op => ({
    op: `tbf.${op}`,
    ns: 'host',
    dev,
    ...bucket,
  });
  const redirect = (op: 'add' | 'delete', dev: string, to: string): Op => ({
    op: `redirect.${op}`,
    ns: 'host',
    dev,
    to,
  });

  beforeEach(() => {
    fixture = make();
    apply(BRIDGE, vethOp(), IFB);
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('limits egress of a device, and ingress through another', () => {
    assert.deepEqual(shaping('veth0'), {});
    assert.equal(shaping('nothing'), undefined);
    apply(tbf('add', 'veth0'), tbf('add', 'ifb7'), redirect('add', 'veth0', 'ifb7'));
    const { tbf: bucket, redirect: to } = shaping('veth0') ?? {};
    assert.ok(bucket !== undefined && isTbf(bucket, BUCKET));
    assert.ok(!isTbf(bucket, { ...BUCKET, burst: 20_001 }) && !isTbf(bucket, { ...BUCKET, latency: 26 }));
    assert.equal(to, 'ifb7');
    assert.deepEqual(shaping('ifb7'), { tbf: bucket });
    assert.deepEqual(revert(redirect('delete', 'veth0', 'ifb7'), tbf('delete', 'veth0'), tbf('delete', 'ifb7')), []);
    assert.deepEqual([shaping('veth0'), shaping('ifb7')], [{}, {}]);
  });

  it('reads back every rate and burst as requested', () => {
    for (const [rate, burst] of [
      [1, 1_500],
      [125, 0xffff_fffe],
      [12_500_000, 1_250_000],
      [0xffff_ffff, 100_000],
      [0x1_0000_0000, 100_000],
      [125_000_000_000, 0xffff_fffe],
    ] as const) {
      const bucket = { rate, burst, latency: 25 };
      apply(tbf('add', 'veth0', bucket));
      const found = shaping('veth0')?.tbf;
      assert.ok(found !== undefined && isTbf(found, bucket), JSON.stringify({ bucket, found }));
      assert.ok(!isTbf(found, { ...bucket, rate: rate + 1 }));
      apply(tbf('delete', 'veth0', bucket));
    }
  });

  it('refuses a second limit or redirection', () => {
    apply(tbf('add', 'veth0'), redirect('add', 'veth0', 'ifb7'));
    assert.match(failure(() => apply(tbf('add', 'veth0')), 'exists', EEXIST).message, /veth0.*1000000 bytes a second/);
    assert.match(failure(() => apply(redirect('add', 'veth0', 'br0')), 'exists', EEXIST).message, /veth0.*to br0/);
    assert.equal(shaping('veth0')?.redirect, 'ifb7');
  });

  it('names the missing device in errors', () => {
    for (const op of [tbf('add', 'veth9'), redirect('add', 'veth9', 'ifb7'), tbf('delete', 'veth9')]) {
      assert.match(failure(() => apply(op), 'kernel', ENODEV).message, /link veth9/);
    }
    assert.match(failure(() => apply(redirect('add', 'veth0', 'ifb9')), 'kernel', ENODEV).message, /link ifb9/);
    for (const op of [tbf('delete', 'veth0'), redirect('delete', 'veth0', 'ifb9')]) {
      failure(() => apply(op), 'kernel', ENOENT);
    }
  });

  it('reverts what exists, twice, and keeps a redirection to another device', () => {
    apply(tbf('add', 'veth0'), redirect('add', 'veth0', 'ifb7'));
    assert.deepEqual(revert(redirect('delete', 'veth0', 'br0')), []);
    assert.equal(shaping('veth0')?.redirect, 'ifb7');
    const undo = [redirect('delete', 'veth0', 'ifb7'), tbf('delete', 'veth0')];
    for (let round = 0; round < 2; round++) assert.deepEqual(revert(...undo), []);
    assert.deepEqual(shaping('veth0'), {});
  });

  it('reports no redirection when its device is gone, and still reverts it', () => {
    apply(redirect('add', 'veth0', 'ifb7'), { op: 'link.delete', ns: 'host', name: 'ifb7', kind: 'ifb' });
    assert.deepEqual(shaping('veth0'), {});
    assert.deepEqual(revert(redirect('delete', 'veth0', 'ifb7')), []);
    apply(IFB, redirect('add', 'veth0', 'ifb7'));
    assert.deepEqual(shaping('veth0'), { redirect: 'ifb7' });
  });

  it('is deleted with the device', () => {
    apply(tbf('add', 'veth0'), redirect('add', 'veth0', 'ifb7'));
    apply({ op: 'link.delete', ns: 'host', name: 'veth0' }, vethOp());
    assert.deepEqual(shaping('veth0'), {});
  });
}
