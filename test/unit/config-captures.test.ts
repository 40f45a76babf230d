import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDocument, versionOf } from '../../src/shared/config/document.ts';
import type { InterfaceDriver } from '../../src/shared/config/inside.ts';
import { parsePlugin, type Reading } from '../../src/shared/config/plugin-config.ts';
import { parseCollection, parseRemoval } from '../../src/shared/config/removal-config.ts';
import { field, type Json } from '../../src/shared/model/json.ts';
import { type InterfacePlugin, OWN_IPAM, refusal } from './config-drivers-support.ts';

/** A call of a reference plugin (containernetworking-plugins 1.9.1), with its answer. */
interface Capture {
  readonly type: Exclude<InterfaceDriver, 'remote'>;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Json;
  readonly rc: number;
}

const DIRECTORY = join(import.meta.dirname, '../fixtures/cni-drivers');
const CAPTURES: ReadonlyMap<string, Capture> = new Map(
  globSync(join(DIRECTORY, '*.json'))
    .toSorted()
    .map((file) => [basename(file, '.json'), JSON.parse(readFileSync(file, 'utf8'))]),
);

/** Calls whose configuration no host can make true. The reference refuses them too, if only where the kernel does. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'tap-selinux': /selinuxContext=.*cannot label/,
  'hostdevice-kernelpath-bad': /\.kernelpath="\/tmp\/x": it is not a path below \/sys\/devices/,
  'hostdevice-none': /\.device: no key says which device to move/,
  'ipvlan-badmode': /\.mode="l4": it is not known here/,
  'macvlan-badmac': /\.mac="zz": is no MAC address/,
  'macvlan-badmode': /\.mode="foo": it is not known here/,
  'vlan-0': /\.vlanId=0: frames with VLAN ID 0 belong to no VLAN/,
  'vlan-4095': /\.vlanId=4095: IEEE 802\.1Q reserves/,
  'vlan-nomaster': /\.master: it is missing/,
};

const isOwn = (type: string): boolean => OWN_IPAM.includes(type);

function captured(name: string): Capture {
  const found = CAPTURES.get(name);
  assert.ok(found !== undefined, name);
  return found;
}

function parse({ type, env, stdin }: Capture): InterfacePlugin {
  const document = parseDocument(JSON.stringify(stdin));
  const config = parsePlugin(document, {
    ...{ plugin: type, command: env.CNI_COMMAND as Reading['command'], args: env.CNI_ARGS ?? '' },
    ...{ ifName: env.CNI_IFNAME ?? '', version: versionOf(document), isOwn },
  });
  assert.ok(config.kind === 'interface', config.kind);
  return config;
}

function remove({ type, env, stdin }: Capture) {
  const document = parseDocument(JSON.stringify(stdin));
  return (env.CNI_COMMAND === 'GC' ? parseCollection : parseRemoval)(document, { plugin: type, isOwn });
}

describe('captured calls of the reference plugins', () => {
  const calls = [...CAPTURES].filter(([, { env }]) => env.CNI_COMMAND !== 'VERSION');

  it('are of every driver', () => {
    const types = new Set(calls.map(([, { type }]) => type));
    assert.deepEqual([...types].toSorted(), ['dummy', 'host-device', 'ipvlan', 'macvlan', 'ptp', 'tap', 'vlan']);
    for (const name of Object.keys(REFUSED)) assert.equal(captured(name).rc, 1, name);
  });

  for (const [name, capture] of calls) {
    const { type, env, stdin } = capture;
    const message = REFUSED[name];
    const command = env.CNI_COMMAND ?? '';
    if (command === 'DEL' || command === 'GC')
      it(`${name}: ${command} is accepted`, () => {
        const { driver, ipam } = remove(capture);
        assert.equal(driver, type);
        const asked = field(field(stdin, 'ipam'), 'type');
        assert.equal(ipam?.kind, asked === 'host-local' ? 'pool' : undefined);
      });
    else if (message === undefined)
      it(`${name}: ${command} is accepted`, () => {
        const config = parse(capture);
        assert.equal(config.name, stdin.name);
        assert.equal(config.options.driver, type);
        assert.equal(config.ipam !== undefined, field(stdin, 'ipam') !== undefined);
      });
    else
      it(`${name}: ${command} is refused`, () => {
        assert.match(
          refusal(() => parse(capture)),
          message,
        );
      });
  }

  for (const [name, mac] of [
    ['macvlan-add', undefined],
    ['macvlan-args-mac', '02:11:22:33:44:55'],
    ['macvlan-args-mac-iu', '02:11:22:33:44:55'],
    ['macvlan-rt-mac', '02:11:22:33:44:66'],
    ['tap-args', '02:00:00:00:00:09'],
    ['tap-add', '02:aa:bb:cc:dd:01'],
    ['tap-owner-group-mac', '02:aa:bb:cc:dd:01'],
  ] as const)
    it(`${name}: the MAC address is ${mac ?? 'not given'}`, () => assert.equal(parse(captured(name)).mac, mac));

  for (const [name, options] of [
    ['macvlan-rt-mac', { master: 'up0', mode: 'private', bcQueueLength: 2000, linkInContainer: false }],
    ['macvlan-defaultmaster', { mode: 'bridge', linkInContainer: false }],
    ['macvlan-linkincontainer', { master: 'base', mode: 'bridge', linkInContainer: true }],
    ['ipvlan-add', { master: 'up0', mode: 'l3', flag: 'bridge', linkInContainer: false }],
    ['vlan-add', { master: 'up0', vlanId: 10, linkInContainer: false }],
    ['ptp-add', { mtu: 1400 }],
    ['dummy-add', {}],
    ['tap-owner-group-mac', { multiQueue: true, mtu: 1400, owner: 0, group: 0 }],
    ['tap-bridge', { multiQueue: false, bridge: 'br0' }],
    ['hostdevice-add', { by: { kind: 'device', value: 'hd0' } }],
    ['hostdevice-hwaddr', { by: { kind: 'hwaddr', value: '46:b9:55:85:7e:b9' } }],
    ['hostdevice-pci-virtio', { by: { kind: 'pciBusID', value: '0000:00:01.0' } }],
    ['hostdevice-deviceid', { by: { kind: 'deviceID', value: 'nope' } }],
  ] as const)
    it(`${name}: the options are those of its keys`, () => {
      const capture = captured(name);
      assert.deepEqual(parse(capture).options, { driver: capture.type, ...options });
    });
});
