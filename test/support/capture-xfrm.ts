import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempDir } from './temp.ts';

/*
 * Writes what `ip xfrm` sends the kernel to test/fixtures/netlink/xfrm.json, as strace sees it in a namespace of its own:
 * `node test/support/capture-xfrm.ts`. Types and payloads of the messages, the latter as hex. The kernel may refuse them.
 */

const KEY = '0x0102030405060708090a0b0c0d0e0f1011121314';
const state = (src: string, dst: string): string =>
  `xfrm state add src ${src} dst ${dst} proto esp spi 0x1a2b3c4d reqid 1230197832 mode transport flag esn ` +
  `replay-window 1024 aead rfc4106(gcm(aes)) ${KEY} 128`;
const between = (src: string, dst: string, more: string): string =>
  `xfrm policy update src ${src} dst ${dst} proto udp dport 4790 dir ${more}`;

const COMMANDS: Readonly<Record<string, string>> = {
  'state-4': state('10.0.0.1', '10.0.0.2'),
  'state-6': state('fd00::1', 'fd00::2'),
  'state-limited': `${state('10.0.0.1', '10.0.0.2')} limit time-hard 2`,
  'state-delete': 'xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1a2b3c4d',
  'policy-out-4': `${between('10.0.0.1/32', '10.0.0.2/32', 'out priority 100')} tmpl src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1a2b3c4d reqid 1230197832 mode transport`,
  'policy-in-6': `${between('fd00::2/128', 'fd00::1/128', 'in priority 100')} tmpl src fd00::2 dst fd00::1 proto esp reqid 1230197832 mode transport`,
  'block-in-4': between('0.0.0.0/0', '0.0.0.0/0', 'in action block priority 200'),
  'block-out-6': `-6 ${between('fd00::1/128', '::/0', 'out action block priority 200')}`,
  'policy-delete': 'xfrm policy delete src 10.0.0.1/32 dst 10.0.0.2/32 proto udp dport 4790 dir out',
};

/** linux/xfrm.h. */
const TYPES: Readonly<Record<string, number>> = { NEWSA: 0x10, DELSA: 0x11, DELPOLICY: 0x14, UPDPOLICY: 0x19 };

using directory = makeTempDir();
const log = join(directory.path, 'log');
const captured = Object.entries(COMMANDS).map(([name, command]) => {
  const strace = ['strace', '-s', '4096', '-xx', '-e', 'trace=sendmsg', '-o', log, 'ip', ...command.split(' ')];
  try {
    execFileSync('unshare', ['-n', ...strace], { stdio: 'ignore' });
  } catch {
    // A kernel without ESP refuses, and has been sent the message all the same.
  }
  const [, type = '', text = ''] =
    /nlmsg_type=XFRM_MSG_(\w+),.*?nlmsg_pid=0\}, "([^"]*)"/.exec(readFileSync(log, 'latin1')) ?? [];
  return [name, { type: TYPES[type], payload: text.replaceAll('\\x', '') }];
});
const file = new URL('../fixtures/netlink/xfrm.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(Object.fromEntries(captured), null, 2)}\n`);
