import type { NftAnswer } from '../../src/shared/netlink/libnftables.ts';

/** The answer of the `nft` command to a script; undefined where there is none. The process lives for this call only. */
export function nftCommand(script: string): NftAnswer | undefined {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, stdout, stderr, error } = spawnSync('nft', ['-f', '-'], { input: script, encoding: 'utf8' });
  return error === undefined ? { ok: status === 0, output: stdout, error: stderr } : undefined;
}
