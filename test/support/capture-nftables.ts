import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { tableDigest } from '../../src/shared/firewall/nft-messages.ts';
import { tableLines } from '../../src/shared/firewall/nft-table.ts';
import { footprint } from '../../src/shared/host/firewall-elements.ts';
import { elementLines } from '../../src/shared/host/firewall-text.ts';
import { NETLINK_NETFILTER, NLM_F_ACK, NLM_F_REQUEST } from '../../src/shared/netlink/constants.ts';
import { decodeMessages, type Message } from '../../src/shared/netlink/message.ts';
import {
  NFPROTO_INET,
  NFT_MSG_DELRULE,
  NFT_MSG_GETSETELEM,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
} from '../../src/shared/netlink/netfilter.ts';
import { withinNetns } from '../../src/shared/netlink/netns.ts';
import { nftType } from '../../src/shared/netlink/nfnetlink.ts';
import { setElements } from '../../src/shared/netlink/nft-sets.ts';
import { NetlinkSocket } from '../../src/shared/netlink/socket.ts';
import { EVERY_ENTRY } from './firewall-entries.ts';
import { withNetns } from './netns.ts';

/*
 * Writes what `nft` sends, seen by strace: to src/shared/firewall/nft-table.generated.ts for the table itself, and to
 * test/fixtures/netlink, as hex, for the elements of EVERY_ENTRY, with what the kernel lists of them afterwards. Run it
 * as `node test/support/capture-nftables.ts` after each change to nft-table.ts, with Debian 12's nft.
 */

const CHANGES = [NFT_MSG_NEWTABLE, NFT_MSG_NEWSET, NFT_MSG_NEWCHAIN, NFT_MSG_DELRULE, NFT_MSG_NEWRULE].map(nftType);

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
    const strace = ['-qq', '-e', 'trace=sendmsg', '-e', 'write=all', '-o', join(dir, 'log')];
    const sentFor = (script: string): readonly Message[] => {
      execFileSync('ip', ['netns', 'exec', ns.name, 'strace', ...strace, 'nft', '-f', join(dir, script)]);
      return decodeMessages(sentBytes(readFileSync(join(dir, 'log'), 'utf8')));
    };
    saveTable(sentFor('table').filter(({ type }) => CHANGES.includes(type)));
    const sent = sentFor('elements');
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

/** Writes the messages that create the table as source text, with a digest of the lines that they come from. */
function saveTable(messages: readonly Message[]): void {
  const encoded = messages.map(({ type, flags, payload }) => {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(flags & ~(NLM_F_REQUEST | NLM_F_ACK), 2);
    head.writeUInt32BE(payload.length, 4);
    return Buffer.concat([head, payload]);
  });
  const text = deflateRawSync(Buffer.concat(encoded), { level: 9 }).toString('base64');
  const lines = (text.match(/.{1,110}/g) ?? []).map((line) => `  '${line}',`);
  const digest = tableDigest();
  writeFileSync(
    new URL('../../src/shared/firewall/nft-table.generated.ts', import.meta.url),
    `// Written by test/support/capture-nftables.ts from nft-table.ts, as nft sends it. Do not edit.

/** Digest of the lines. */
export const MADE_FROM = '${digest}';

/** Type (16 bits), flags (16), length (32) and payload of each message, one after the other: deflated, in base64. */
export const MESSAGES = [
${lines.join('\n')}
].join('');
`,
  );
  console.log(`nft-table.generated.ts: ${messages.length} messages`);
}

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
