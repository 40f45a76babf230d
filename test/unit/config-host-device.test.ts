import { strict as assert } from 'node:assert';
import type { Json } from '../../src/shared/model/json.ts';
import { parseAs, refusal } from './config-drivers-support.ts';

/** What finds the device, the same under both names. */
function found(keys: Json): unknown {
  const [own, dropIn] = (['isthmus', 'host-device'] as const).map((plugin) => {
    const { options } = parseAs(plugin, { driver: 'host-device', ...keys });
    assert.ok(options.driver === 'host-device');
    return options.by;
  });
  assert.deepEqual(own, dropIn);
  return own;
}

function refused(keys: Json, message: RegExp): void {
  for (const plugin of ['isthmus', 'host-device'] as const) {
    const text = refusal(() => parseAs(plugin, { driver: 'host-device', ...keys }));
    assert.match(text, message);
  }
}

const PATH = '/sys/devices/pci0000:00/0000:00:03.0';
const RUNTIME = { runtimeConfig: { deviceID: '0000:3b:00.2' } };

describe('the keys of driver host-device', () => {
  for (const [keys, kind, value] of [
    [{ device: 'eth1' }, 'device', 'eth1'],
    [{ hwaddr: '46-B9-55-85-7E-B9' }, 'hwaddr', '46:b9:55:85:7e:b9'],
    [{ hwaddr: '46b9.5585.7eb9' }, 'hwaddr', '46:b9:55:85:7e:b9'],
    [{ hwaddr: '02:00:5e:10:00:00:00:01' }, 'hwaddr', '02:00:5e:10:00:00:00:01'],
    [{ hwaddr: `80${':00'.repeat(19)}` }, 'hwaddr', `80${':00'.repeat(19)}`],
    [{ kernelpath: PATH }, 'kernelpath', PATH],
    [{ kernelpath: '/sys/devices/virtual' }, 'kernelpath', '/sys/devices/virtual'],
    [{ pciBusID: '0000:3B:00.1' }, 'pciBusID', '0000:3b:00.1'],
    [{ pciBusID: '10000:e1:00.0' }, 'pciBusID', '10000:e1:00.0'],
    [RUNTIME, 'deviceID', '0000:3b:00.2'],
    [{ runtimeConfig: { deviceID: 'mlx5_core.sf.4' } }, 'deviceID', 'mlx5_core.sf.4'],
  ] as const)
    it(`find a device by ${JSON.stringify(keys)}`, () => assert.deepEqual(found(keys), { kind, value }));

  it('find it by the first of device, hwaddr, kernelpath, deviceID, pciBusID', () => {
    const all = { device: 'eth1', hwaddr: '46:b9:55:85:7e:b9', kernelpath: PATH, ...RUNTIME, pciBusID: '0000:3b:00.1' };
    const order = ['device', 'hwaddr', 'kernelpath', 'runtimeConfig', 'pciBusID'] as const;
    const kinds = order.map((_, i) => {
      const rest = Object.fromEntries(order.slice(i).map((key) => [key, all[key]]));
      return (found(rest) as { kind: string }).kind;
    });
    assert.deepEqual(kinds, ['device', 'hwaddr', 'kernelpath', 'deviceID', 'pciBusID']);
    assert.deepEqual(found({ device: '', hwaddr: '', ...RUNTIME }), { kind: 'deviceID', value: '0000:3b:00.2' });
    assert.deepEqual(found({ pciBusID: '0000:3b:00.1', runtimeConfig: { deviceID: '' } }), {
      kind: 'pciBusID',
      value: '0000:3b:00.1',
    });
  });

  for (const [keys, message] of [
    [{}, /\.device: no key says which device to move\. Give \.device, \.hwaddr, \.kernelpath or \.pciBusID, or let/],
    [{ device: '' }, /\.device: no key says which device to move/],
    [{ device: '../eth1' }, /\.device="\.\.\/eth1": it has \/ where no interface name can have it/],
    [{ device: 7 }, /\.device=7: it is not a string/],
    [{ hwaddr: '46:b9:55:85:7e' }, /\.hwaddr="46:b9:55:85:7e": it is not a hardware address\. Write six bytes/],
    [{ hwaddr: 'eth1' }, /\.hwaddr="eth1": it is not a hardware address/],
    [{ kernelpath: '/tmp/x' }, /\.kernelpath="\/tmp\/x": it is not a path below \/sys\/devices\. Give one like/],
    [{ kernelpath: '/sys/devices/../x' }, /\.kernelpath=.*: it is not a path below \/sys\/devices/],
    [{ kernelpath: 'sys/devices/virtual' }, /\.kernelpath=.*: it is not a path below/],
    [{ pciBusID: '3b:00.1' }, /\.pciBusID="3b:00\.1": it is not a PCI address\. Write it as lspci -D shows it/],
    [{ pciBusID: '../../class' }, /\.pciBusID=.*: it is not a PCI address/],
    [{ pciBusID: '0000:3b:00.8' }, /\.pciBusID=.*: it is not a PCI address/],
    [{ runtimeConfig: { deviceID: '../x' } }, /\.runtimeConfig\.deviceID="\.\.\/x": it is not the ID of a device/],
    [{ runtimeConfig: { deviceID: '..' } }, /\.runtimeConfig\.deviceID="\.\.": it is not the ID of a device/],
    [{ runtimeConfig: { deviceID: 7 } }, /\.runtimeConfig\.deviceID=7: it is not the ID of a device\. Give/],
  ] as const)
    it(`refuse ${JSON.stringify(keys)}`, () => refused(keys, message));
});
