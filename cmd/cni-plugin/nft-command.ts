import type { NftAnswer } from '../../src/shared/netlink/libnftables.ts';

/**
 * Runs the `nft` command on a script and returns its output; undefined without the command. The process ends with the
 * call.
 */
export function nftCommand(script: string): NftAnswer | undefined {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, stdout, stderr, error } = spawnSync('nft', ['-f', '-'], { input: script, encoding: 'utf8' });
  return error === undefined ? { ok: status === 0, output: stdout, error: stderr } : undefined;
}
