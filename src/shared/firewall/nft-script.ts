import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { runTool } from '../host/tool.ts';
import { hasLibnftables, type NftAnswer, runLibnftables } from '../netlink/libnftables.ts';

/** The program that runs scripts; by default the library if installed, else the command. */
export type ScriptRunner = 'libnftables' | 'nft';

/**
 * Runs the lines as one transaction and returns nftables' answer. Throws NetError `unsupported` if neither is
 * installed.
 */
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

/** Runs the `nft` command, for machines without the library. */
export async function runNftCommand(ns: LinuxNamespace, script: string): Promise<NftAnswer> {
  const answer = await runTool(ns, 'nft', ['-f', '-'], script);
  if (answer !== undefined) return answer;
  const what = 'neither libnftables.so.1 nor the command nft can be run';
  throw fault.unsupported('nft', 'ruleset', what, 'Install nftables');
}

/** Returns true if scripts can run: minimal hosts have only iptables although their kernel has nf_tables. */
export function canRunScripts(env: NodeJS.ProcessEnv = process.env): boolean {
  const { existsSync } = process.getBuiltinModule('node:fs');
  return hasLibnftables() || (env.PATH ?? '').split(':').some((dir) => dir !== '' && existsSync(`${dir}/nft`));
}

/** Returns true if the kernel refused the script, and false if nft rejected it before sending. */
export function isKernels(error: string): boolean {
  return error.includes('Could not process rule');
}

/** Extracts nft's message, without the position and without the repeated script. */
export function wordsOfError(error: string): string {
  const [first = ''] = error.split('\n', 1);
  return first.replace(/^[^:]*:\d+:\d+-\d+: /, '').replace(/^Error: /, '');
}
