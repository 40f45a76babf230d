import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { formatChange, NftTransactions, routeChange } from '../../src/shared/host/changes.ts';
import { netconf } from '../../src/shared/netlink/address.ts';
import { assemble } from '../../src/shared/netlink/bpf.ts';
import { RTM_NEWNETCONF } from '../../src/shared/netlink/constants.ts';
import type { Message } from '../../src/shared/netlink/message.ts';
import { NFNL_SUBSYS_NFTABLES } from '../../src/shared/netlink/netfilter.ts';
import { nftEvent } from '../../src/shared/netlink/nft-events.ts';

/** Recorded notifications of a kernel; test/support/capture-changes.ts describes their origin. */
const CAPTURED: readonly Message[] = captured();
const INTEREST = { tables: ['isthmus'], marks: ['isthmus', 'ISTHMUS-'] };
const nobody = (): boolean => false;
const isNft = ({ type }: Message): boolean => type >> 8 === NFNL_SUBSYS_NFTABLES;

function captured(): Message[] {
  const file = new URL('../fixtures/netlink/changes.json', import.meta.url);
  const messages: readonly (readonly [number, string])[] = JSON.parse(readFileSync(file, 'utf8'));
  return messages.map(([type, hex]) => ({ type, flags: 0, sequence: 0, payload: Buffer.from(hex, 'hex') }));
}

describe('kernel change notifications', () => {
  it('are parsed from rtnetlink messages', () => {
    const texts = CAPTURED.filter((message) => !isNft(message)).flatMap((message) => {
      const change = routeChange(message, () => 'br0');
      return change === undefined ? [] : [formatChange(change)];
    });
    const wanted = [
      'link v0 detached',
      'address 10.9.0.1/16 of br0 deleted',
      'route 10.9.0.0/16 by br0 deleted',
      'forwarding of ip off',
      'link br0 down',
      'link br0 deleted',
    ];
    assert.deepEqual(
      [...new Set(texts)].filter((text) => wanted.includes(text)),
      wanted,
    );
  });

  it('do not treat a port that leaves its bridge as a deleted link', () => {
    const deleted = CAPTURED.flatMap((message) => {
      const change = routeChange(message, () => undefined);
      return change?.kind === 'link' && change.event === 'delete' ? [change.name] : [];
    });
    assert.deepEqual(deleted, ['br0']);
  });

  it('omit addresses and routes of deleted links', () => {
    const kinds = CAPTURED.map((message) => routeChange(message, () => undefined)?.kind);
    assert.ok(!kinds.includes('address') && !kinds.includes('route'));
  });

  it('are parsed from nftables transactions, each change once in each', () => {
    const told = new NftTransactions(INTEREST, nobody).take(CAPTURED).map(formatChange);
    assert.deepEqual(told, [
      'nftables inet isthmus: something deleted',
      'nftables ip filter FORWARD: something deleted',
      'nftables ip filter FORWARD: policy drop',
      'nftables inet isthmus: something deleted',
    ]);
  });

  it('omit tables and rules without our names and marks', () => {
    const told = new NftTransactions({ tables: ['other'], marks: ['OTHER'] }, nobody).take(CAPTURED);
    assert.deepEqual(told.map(formatChange), ['nftables ip filter FORWARD: policy drop']);
  });

  it('omit transactions of this process, and only those', () => {
    const pids = CAPTURED.map((message) => nftEvent(message)).flatMap((event) =>
      event?.is === 'generation' ? [event.pid] : [],
    );
    assert.equal(pids.length, 4);
    const [own = 0] = pids;
    const told = new NftTransactions(INTEREST, (pid) => pid === own).take(CAPTURED);
    assert.equal(told.length, 3);
  });

  it('are reported at the end of the transaction, also across several datagrams', () => {
    const nft = CAPTURED.filter(isNft);
    const transactions = new NftTransactions(INTEREST, nobody);
    const told = nft.map((message) => transactions.take([message]).length);
    const ends = nft.map((message) => nftEvent(message)?.is === 'generation');
    for (const [i, count] of told.entries()) if (!ends[i]) assert.equal(count, 0);
    assert.equal(
      told.reduce((sum, count) => sum + count, 0),
      4,
    );
  });

  it('of forwarding parse and encode to the same bytes', () => {
    const payloads = CAPTURED.filter(({ type }) => type === RTM_NEWNETCONF).map(({ payload }) => payload);
    assert.ok(payloads.length > 0);
    for (const payload of payloads) {
      const value = netconf.decode(payload);
      assert.ok(value);
      assert.equal(Buffer.from(netconf.encode(value)).toString('hex'), Buffer.from(payload).toString('hex'));
    }
  });
});

describe('BPF programs', () => {
  it('encode as struct sock_filter, with jumps to labels as distances', () => {
    const program = assemble([
      { load: 'byte', at: 4 },
      { equals: 17, yes: 'keep', no: 'drop' },
      { label: 'keep' },
      { keep: true },
      { label: 'drop' },
      { keep: false },
    ]);
    const wanted = '30000000 04000000 15000001 11000000 06000000 ffffffff 06000000 00000000';
    assert.equal(Buffer.from(program).toString('hex'), wanted.replaceAll(' ', ''));
  });

  it('reject a label that is missing or lies behind', () => {
    assert.throws(() => assemble([{ go: 'nowhere' }]), /label nowhere/);
    assert.throws(() => assemble([{ label: 'back' }, { load: 'byte', at: 0 }, { go: 'back' }]), /label back/);
  });
});
