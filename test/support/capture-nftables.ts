import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableLines } from '../../src/shared/firewall/nft-table.ts';
import { footprint } from '../../src/shared/host/firewall-elements.ts';
import { elementLines } from '../../src/shared/host/firewall-text.ts';
import { NETLINK_NETFILTER } from '../../src/shared/netlink/constants.ts';
import { decodeMessages } from '../../src/shared/netlink/message.ts';
import {
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_INET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_NEWSETELEM,
} from '../../src/shared/netlink/netfilter.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { setElements } from '../../src/shared/netlink/nft-sets.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { EVERY_ENTRY } from './firewall-entries.ts';
import { withNetns } from './netns.ts';

/*
 * Writes to test/fixtures/netlink what `nft` sends for the elements of EVERY_ENTRY, seen by strace, and what the kernel
 * lists of them afterwards: `node test/support/capture-nftables.ts`. The payloads of the messages, as hex.
 */

const DUMP = / \| [0-9a-f]{5} {2}((?:[0-9a-f]{2} {1,2}){1,16})/;

withNetns(1, (ns) => {
  const dir = mkdtempSync(join(tmpdir(), 'isth-capture-'));
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const fd = openSync(ns.path, 'r');
  try {
    const plain = EVERY_ENTRY.filter((entry) => entry.kind !== 'port' || entry.conditions.length === 0);
    const { elements } = footprint(plain);
    writeFileSync(join(dir, 'table'), `${tableLines().join('\n')}\n`);
    writeFileSync(join(dir, 'elements'), `${elementLines('add', elements).join('\n')}\n`);
    ns.run('nft', '-f', join(dir, 'table'));
    const strace = ['-qq', '-e', 'trace=sendmsg', '-e', 'write=all', '-o', join(dir, 'log')];
    execFileSync('ip', ['netns', 'exec', ns.name, 'strace', ...strace, 'nft', '-f', join(dir, 'elements')]);
    const sent = decodeMessages(sentBytes(readFileSync(join(dir, 'log'), 'utf8')));
    save(
      'nft-sent',
      sent.filter(({ type }) => type === nftType(NFT_MSG_NEWSETELEM)).map(({ payload }) => payload),
    );
    using socket = withinNetns(fd, home, () => new NetlinkSocket(NETLINK_NETFILTER));
    const sets = [...new Set(elements.map(({ set }) => set))];
    save(
      'nft-listed',
      sets.flatMap((set) => {
        const attrs = { table: 'isthmus', set };
        const payload = setElements.encode({ header: { family: NFPROTO_INET }, attrs });
        return socket.dump({ type: nftType(NFT_MSG_GETSETELEM), payload }).map((message) => message.payload);
      }),
    );
  } finally {
    closeSync(fd);
    closeSync(home);
    rmSync(dir, { recursive: true });
  }
});

/** Everything sent, one datagram after the other; a batch's frame is among it. */
function sentBytes(log: string): Uint8Array {
  const lines = log.split('\n').flatMap((line) => DUMP.exec(line)?.[1] ?? []);
  return Buffer.from(lines.join('').replace(/\s/g, ''), 'hex');
}

function save(name: string, payloads: readonly Uint8Array[]): void {
  const hex = payloads.map((payload) => Buffer.from(payload).toString('hex'));
  writeFileSync(new URL(`../fixtures/netlink/${name}.json`, import.meta.url), `${JSON.stringify(hex, null, 1)}\n`);
  console.log(`${name}: ${hex.length} messages`);
}

function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}
