import { renderOp } from '../../src/shared/host/render.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { assertGolden } from '../support/golden.ts';
import { DELETIONS, EVERY_OP, KIND_OPS, VLAN_OPS } from './ops.ts';

function lines(ops: readonly Op[]): string {
  return ops.map((op) => `${renderOp(op, { sandbox: 'pod' })}\n`).join('');
}

describe('command of every Op', () => {
  it('adds and sets', () => assertGolden('ops-add', lines(EVERY_OP)));
  it('configures VLANs', () => assertGolden('ops-vlan', lines(VLAN_OPS)));
  it('creates kinds of links that some kernels lack', () => assertGolden('ops-kinds', lines(KIND_OPS)));
  it('deletes', () => assertGolden('ops-delete', lines(DELETIONS)));
});

describe('FakeHost as text', () => {
  const make = (): { host: FakeHost; apply: (ops: readonly Op[]) => void } => {
    const host = new FakeHost({ namespaces: { '/run/netns/pod': {} } });
    const namespaces = { host: host.own, sandbox: host.open('/run/netns/pod') };
    return { host, apply: (ops) => host.apply(ops, namespaces) };
  };

  it('lists the commands that create its state', () => {
    const { host, apply } = make();
    apply(EVERY_OP);
    assertGolden('fake-host-full', host.toString());
    apply(DELETIONS);
    assertGolden('fake-host-after-deletions', host.toString());
  });

  it('has kinds of links that some kernels lack', () => {
    const { host, apply } = make();
    const peer = { ns: 'sandbox', name: 'eth0' } as const;
    apply([{ op: 'link.create', ns: 'host', name: 'up0', link: { kind: 'veth', peer }, up: true }, ...KIND_OPS]);
    assertGolden('fake-host-kinds', host.toString());
  });

  it('is one line for an empty namespace', () => assertGolden('fake-host-empty', make().host.toString()));
});
