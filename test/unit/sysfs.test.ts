import { strict as assert } from 'node:assert';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDeviceNode } from '../../src/shared/host/sysfs.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

describe('devices of sysfs', () => {
  let temp: TempDir;
  beforeEach(() => {
    temp = makeTempDir();
  });
  afterEach(() => temp[Symbol.dispose]());

  const putInterface = (device: string, name: string, index: number, mac: string): void => {
    const path = join(temp.path, device, 'net', name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'ifindex'), `${index}\n`);
    writeFileSync(join(path, 'address'), `${mac}\n`);
  };

  it('reads the interfaces and the driver of a device behind a symbolic link', () => {
    putInterface('pci0/0000:3b:00.1', 'eth0', 2, '02:00:00:00:00:31');
    mkdirSync(join(temp.path, 'drivers/ixgbe'), { recursive: true });
    symlinkSync('../../drivers/ixgbe', join(temp.path, 'pci0/0000:3b:00.1/driver'));
    symlinkSync('pci0/0000:3b:00.1', join(temp.path, 'link'));
    assert.deepEqual(readDeviceNode(join(temp.path, 'link')), {
      parents: ['0000:3b:00.1'],
      interfaces: [{ name: 'eth0', index: 2, mac: '02:00:00:00:00:31' }],
      driver: 'ixgbe',
    });
  });

  it('finds the interface of a virtio device below a PCI device', () => {
    putInterface('0000:00:03.0/virtio0', 'ens3', 3, '52:54:00:00:00:01');
    assert.deepEqual(readDeviceNode(join(temp.path, '0000:00:03.0')), {
      parents: ['0000:00:03.0', 'virtio0'],
      interfaces: [{ name: 'ens3', index: 3, mac: '52:54:00:00:00:01' }],
    });
  });

  it('has nothing for a device that is gone, and no interface of one without', () => {
    assert.equal(readDeviceNode(join(temp.path, 'gone')), undefined);
    mkdirSync(join(temp.path, 'nvme'));
    assert.deepEqual(readDeviceNode(join(temp.path, 'nvme')), { parents: ['nvme'], interfaces: [] });
  });
});
