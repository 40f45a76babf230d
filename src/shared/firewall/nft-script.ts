import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { runNftCommand } from '../host/nft.ts';
import { hasLibnftables, type NftAnswer, runLibnftables } from '../netlink/libnftables.ts';

/** By which program scripts go to the kernel; without, by the library where there is one, else by the command. */
export type ScriptRunner = 'libnftables' | 'nft';

/** The answer of nftables to the lines, which are one transaction. Throws NetError `unsupported` where neither is there. */
export async function runScript(ns: LinuxNamespace, lines: readonly string[], via?: ScriptRunner): Promise<NftAnswer> {
  const script = lines.map((line) => `${line}\n`).join('');
  if (via === 'nft') return await runNftCommand(ns, script);
  try {
    return ns.within(() => runLibnftables(script));
  } catch (error) {
    if (via === 'libnftables' || !(error instanceof NetError && error.kind === 'unsupported')) throw error;
    return await runNftCommand(ns, script);
  }
}

/** True where scripts can be run: minimal hosts have iptables only, although their kernel has nf_tables. */
export function canRunScripts(env: NodeJS.ProcessEnv = process.env): boolean {
  const { existsSync } = process.getBuiltinModule('node:fs');
  return hasLibnftables() || (env.PATH ?? '').split(':').some((dir) => dir !== '' && existsSync(`${dir}/nft`));
}

/** True where the kernel refused the script, and not nft before it was sent. */
export function isKernels(error: string): boolean {
  return error.includes('Could not process rule');
}

/** nft's message without the place in the script and without the script repeated below. */
export function wordsOfError(error: string): string {
  const [first = ''] = error.split('\n', 1);
  return first.replace(/^[^:]*:\d+:\d+-\d+: /, '').replace(/^Error: /, '');
}
