import { strict as assert } from 'node:assert';
import { parseCniArgs } from '../../src/shared/config/cni-args.ts';
import { type DhcpOptions, parseDhcp } from '../../src/shared/config/dhcp.ts';
import { documentOf } from '../../src/shared/config/document.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { parseRemoval } from '../../src/shared/config/removal-config.ts';
import { refusedWith } from '../support/core.ts';

const ARGS = 'IgnoreUnknown=1;K8S_POD_NAME=pod1';

function parse(ipam: object, args = ARGS): DhcpOptions {
  return parseDhcp({ type: 'dhcp', ...ipam }, parseCniArgs(args));
}

describe('parseDhcp', () => {
  it('asks for what a result is made from, classless routes before routers (RFC 3442)', () => {
    assert.deepEqual(parse({ daemonSocketPath: '/run/cni/dhcp.sock' }), {
      request: [1, 121, 3, 33, 6, 15, 119, 26],
      provide: [],
    });
  });

  it('takes the names and codes of the reference, and values of CNI_ARGS', () => {
    const provide = [
      { option: '12', value: 'myhost' },
      { option: 'vendor-class-identifier', fromArg: 'K8S_POD_NAME' },
      { option: 'user-class', fromArg: 'K8S_POD_UID' },
      { option: 'dhcp-client-identifier', value: 'x' },
    ];
    assert.deepEqual(parse({ provide, priority: 50 }).provide, [
      { code: 12, value: 'myhost' },
      { code: 60, value: 'pod1' },
      { code: 61, value: 'x' },
    ]);
    assert.equal(parse({ priority: 50 }).priority, 50);
    assert.equal(parse({ priority: 0 }).priority, undefined);
  });

  it('adds requested options, and leaves out those with skipDefault', () => {
    const request = [{ option: '42' }, { option: 'routers', skipDefault: true }, { Option: 6 }];
    assert.deepEqual(parse({ request }).request, [1, 121, 33, 6, 15, 119, 26, 42]);
  });

  for (const [what, ipam, text] of [
    ['an unknown name', { request: [{ option: 'router' }] }, /\.ipam\.request\[0\]\.option="router": it is no option/],
    ['a code over 255', { provide: [{ option: '256', value: 'x' }] }, /\.ipam\.provide\[0\]\.option="256"/],
    [
      'an option of the protocol',
      { provide: [{ option: '53', value: 'x' }] },
      /\.option="53": the client sets it itself/,
    ],
    ['two sources of a value', { provide: [{ option: '12', value: 'a', fromArg: 'B' }] }, /\.value is there too/],
    ['values that fit no message', { provide: [{ option: '12', value: 'a'.repeat(1001) }] }, /1001 bytes, 1000 are/],
    ['a priority that is no number', { priority: 'high' }, /\.ipam\.priority="high"/],
    ['a list that is none', { provide: { option: '12' } }, /\.ipam\.provide=.*not an array/],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(() => parse(ipam), refusedWith('invalid-config', text));
    });
});

describe('ipam of type dhcp', () => {
  const document = documentOf({ cniVersion: '1.0.0', name: 'web', bridge: 'b0', ipam: { type: 'dhcp' } });
  const reading = { plugin: 'bridge', command: 'ADD', args: '', ifName: 'eth0', version: '1.0.0' } as const;

  it('is ours if the `dhcp` of CNI_PATH is this program, else a foreign plugin', () => {
    for (const [isOwn, kind] of [
      [true, 'dhcp'],
      [false, 'delegate'],
    ] as const) {
      const config = parsePlugin(document, { ...reading, isOwn: () => isOwn });
      assert.equal(config.kind === 'endpoint' && config.ipam?.kind, kind);
      assert.equal(parseRemoval(document, { plugin: 'bridge', isOwn: () => isOwn }).ipam?.kind, kind);
    }
    assert.equal(parseRemoval(document, { plugin: 'dhcp', isOwn: () => false }).ipam?.kind, 'dhcp');
  });
});
