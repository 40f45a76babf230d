import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Core, DelegateSource } from '../../src/shared/core/core.ts';
import { clock } from '../../src/shared/dhcp/kept.ts';
import { encodeMessage, OPTION, TYPE } from '../../src/shared/dhcp/message.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { dhcpSource, isOwnDhcp } from '../../src/shared/runtime/dhcp.ts';
import {
  type DhcpLeaseRow,
  deleteDhcpLease,
  dhcpLease,
  listDhcpLeases,
  putDhcpLease,
} from '../../src/shared/store/dhcp-leases.ts';
import { attachmentOf, makeCore, makeFakeHost, POD, refusedWith } from '../support/core.ts';
import { makeTempDir } from '../support/temp.ts';

const ANY = { family: 4, value: 0n } as const;

/** An acknowledgement of 10.6.0.7/24 for two minutes. */
function ack(): string {
  const yiaddr = parseAddr('10.6.0.7') ?? ANY;
  const options = new Map<number, Uint8Array>([
    [OPTION.messageType, Uint8Array.of(TYPE.ack)],
    [OPTION.serverId, Uint8Array.of(10, 6, 0, 1)],
    [OPTION.leaseTime, Uint8Array.of(0, 0, 0, 120)],
    [OPTION.subnetMask, Uint8Array.of(255, 255, 255, 0)],
  ]);
  const addresses = { ciaddr: ANY, yiaddr, siaddr: ANY, giaddr: ANY };
  const chaddr = '02:00:00:00:00:01';
  const bytes = encodeMessage({ op: 'reply', xid: 1, secs: 0, broadcast: false, ...addresses, chaddr, options });
  return Buffer.from(bytes).toString('hex');
}

describe('dhcpSource without a daemon', () => {
  let temp: ReturnType<typeof makeTempDir>;
  let core: Core;
  const attachment = attachmentOf();

  beforeEach(() => {
    temp = makeTempDir();
    core = makeCore(makeFakeHost());
    for (const dir of ['own', 'foreign']) mkdirSync(join(temp.path, dir));
    symlinkSync(process.execPath, join(temp.path, 'own/dhcp'));
    const result = '{"cniVersion":"1.0.0","ips":[{"address":"10.6.0.9/24"}]}';
    const script = `#!/bin/sh\necho $CNI_COMMAND >> ${temp.path}/calls\n[ $CNI_COMMAND = ADD ] && echo '${result}'; exit 0\n`;
    writeFileSync(join(temp.path, 'foreign/dhcp'), script, { mode: 0o755 });
  });
  afterEach(() => temp[Symbol.dispose]());

  const row = (more: Partial<DhcpLeaseRow> = {}): DhcpLeaseRow => ({
    ...{ attachment, bootId: core.host.identity.bootId, mac: '02:00:00:00:00:01', broadcast: false },
    ...{ sandbox: { path: POD, id: core.host.open(POD).id }, request: [1], provide: [[12, 'a']], ack: ack() },
    ...{ since: clock(), ...more },
  });
  const source = (...dirs: string[]): DelegateSource =>
    dhcpSource(core, {
      ...{ attachment, netns: POD, config: '{"cniVersion":"1.0.0"}', env: { PATH: process.env.PATH } },
      ...{ path: dirs.map((dir) => join(temp.path, dir)), stderr: () => {} },
      options: { request: [], provide: [] },
    });
  const calls = (): string[] => readFileSync(join(temp.path, 'calls'), 'utf8').trim().split('\n');

  it('says that the daemon is missing: STATUS with code 50', async () => {
    for (const command of ['acquire', 'status', 'check'] as const)
      await assert.rejects(() => source('own')[command](), refusedWith('unavailable', /daemon.*isthmus serve/));
  });

  it('runs the next `dhcp` of CNI_PATH that is not this program', async () => {
    const { addresses } = await source('own', 'foreign').acquire();
    assert.equal(addresses.length, 1);
    assert.deepEqual(calls(), ['ADD']);
  });

  it('DEL without a lease on record has nothing to do, and runs nothing', async () => {
    await source('own').release();
    await source('own', 'foreign').release();
    assert.throws(calls, /ENOENT/);
  });

  it('DEL leaves a lease of the daemon to the daemon', async () => {
    putDhcpLease(core.store.notes, row());
    await source('own', 'foreign').release();
    assert.throws(calls, /ENOENT/);
    assert.notEqual(dhcpLease(core.store.notes, attachment), undefined);
  });

  it('CHECK needs the lease, in this namespace, not ended, and its address on the link', async () => {
    const check = (more: Partial<DhcpLeaseRow>, text: RegExp): Promise<void> => {
      putDhcpLease(core.store.notes, row(more));
      return assert.rejects(() => source('own').check(), refusedWith('drift', text));
    };
    await check({ since: clock() - 121_000 }, /lease of 10\.6\.0\.7\/24 that has ended/);
    await check({ sandbox: { path: POD, id: 'x' } }, /has its lease in .*pod/);
    await check({}, /lacks the address 10\.6\.0\.7\/24, which is leased/);
    const namespaces = { host: core.host.own, sandbox: core.host.open(POD) };
    const link = { kind: 'bridge' } as const;
    core.host.apply(
      [
        { op: 'link.create', ns: 'sandbox', name: 'eth0', link, up: true },
        { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.6.0.7/24' },
      ],
      namespaces,
    );
    await source('own').check();
  });

  it('tells its own recorded leases from those of a foreign `dhcp`', () => {
    const foreign = [join(temp.path, 'foreign')];
    assert.equal(isOwnDhcp(core, 'dhcp', attachment, foreign), false);
    assert.equal(isOwnDhcp(core, 'dhcp', attachment, [join(temp.path, 'own')]), true);
    putDhcpLease(core.store.notes, row());
    assert.equal(isOwnDhcp(core, 'dhcp', attachment, foreign), true);
    assert.equal(isOwnDhcp(core, 'whereabouts', attachment, foreign), false);
  });
});

describe('leases of DHCP on record', () => {
  it('are listed until deleted; a broken one is dropped', () => {
    const { store, host } = makeCore(makeFakeHost());
    const attachment = attachmentOf();
    const lease: DhcpLeaseRow = {
      ...{ attachment, bootId: host.identity.bootId, sandbox: { path: POD, id: 'x' }, mac: '02:00:00:00:00:01' },
      ...{ broadcast: false, request: [1], provide: [[12, 'a']], ack: ack(), since: 5, priority: 7, isAlone: true },
    };
    putDhcpLease(store.notes, lease);
    store.notes.put('dhcp broken', '{"attachment":{}}');
    store.notes.put('cursor x', '1');
    assert.deepEqual(listDhcpLeases(store.notes), [lease]);
    assert.deepEqual(store.notes.keys('dhcp ').length, 1);
    deleteDhcpLease(store.notes, attachment);
    assert.equal(dhcpLease(store.notes, attachment), undefined);
    assert.equal(store.notes.get('cursor x'), '1');
  });
});
