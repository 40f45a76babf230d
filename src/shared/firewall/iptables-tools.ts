import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { type ToolAnswer, runTool as tryTool } from '../host/tool.ts';
import type { Family } from '../model/addr.ts';

/** The kernel's packet filter that a variant of iptables controls. */
export type Variant = 'nft' | 'legacy';

/** Seconds to wait for the lock of another iptables process. */
const WAIT = '10';

/** Returns the namespace's iptables-legacy tables. Reads /proc, because running the tools would create a table. */
export function legacyTables(ns: LinuxNamespace, family: Family): string[] {
  const file = `/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`;
  return (ns.readProc(file) ?? '').split('\n').filter(Boolean);
}

/** IPv4, and IPv6 if the kernel has it. */
export function familiesOf(ns: LinuxNamespace): Family[] {
  const { existsSync } = process.getBuiltinModule('node:fs');
  return ns.within(() => existsSync('/proc/thread-self/net/if_inet6')) ? [4, 6] : [4];
}

/** Returns the output of `iptables-save` for one table, or for all. */
export async function save(ns: LinuxNamespace, variant: Variant, family: Family, table?: string): Promise<string> {
  const args = table === undefined ? [] : ['-t', table];
  const { ok, output, error } = await runTool(ns, await toolName(ns, variant, family, 'save'), args);
  if (ok) return output;
  throw toolError(variant, family, 'the rules could not be read', error);
}

/** Runs `iptables-restore --noflush` on the input; each table in it is one transaction. */
export async function restore(
  ns: LinuxNamespace,
  variant: Variant,
  family: Family,
  script: string,
): Promise<ToolAnswer> {
  return await runTool(ns, await toolName(ns, variant, family, 'restore'), ['--noflush', '--wait', WAIT], script);
}

export function toolError(variant: Variant, family: Family, what: string, reason: string): NetError {
  const subject = `iptables-${variant} IPv${family}`;
  return fault.kernel('firewall', subject, what, undefined, { reason: firstLine(reason) });
}

/** Returns the variant of the command `iptables`; undefined if it is not installed. */
export async function nativeVariant(ns: LinuxNamespace): Promise<Variant | undefined> {
  const answer = await tryTool(ns, 'iptables', ['--version']);
  if (!answer?.ok) return undefined;
  return answer.output.includes('nf_tables') ? 'nft' : 'legacy';
}

const names = new Map<string, string>();

/** `iptables-nft-restore`, or `iptables-restore` if the plain name is of that variant. */
async function toolName(
  ns: LinuxNamespace,
  variant: Variant,
  family: Family,
  verb: 'save' | 'restore',
): Promise<string> {
  const base = family === 4 ? 'iptables' : 'ip6tables';
  const key = `${base}-${variant}-${verb}`;
  const known = names.get(key);
  if (known !== undefined) return known;
  const exists = (await tryTool(ns, key, ['--version'])) !== undefined;
  if (!exists && (await nativeVariant(ns)) !== variant) {
    const hint = 'Install iptables';
    throw fault.unsupported('firewall', key, 'there is no such command', hint);
  }
  const name = exists ? key : `${base}-${verb}`;
  names.set(key, name);
  return name;
}

async function runTool(ns: LinuxNamespace, file: string, args: readonly string[], input = ''): Promise<ToolAnswer> {
  const answer = await tryTool(ns, file, args, input);
  if (answer !== undefined) return answer;
  const hint = 'Install iptables';
  throw fault.unsupported('firewall', file, 'there is no such command', hint);
}

/** Extracts the error, without iptables' warnings about the other variant. */
function firstLine(text: string): string {
  return text.split('\n').find((line) => line !== '' && !line.startsWith('#')) ?? '';
}
