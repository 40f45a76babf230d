import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import { noteChild } from '../host/own-children.ts';
import type { Family } from '../model/addr.ts';

/** Which of the kernel's two packet filters the tools of iptables speak to. */
export type Variant = 'nft' | 'legacy';

export interface ToolAnswer {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

/** Seconds to wait for another iptables to finish. */
const WAIT = '10';

/** The tables that iptables-legacy has in the namespace. Asking the tools would make one; this does not. */
export function legacyTables(ns: LinuxNamespace, family: Family): string[] {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  try {
    const file = `/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`;
    return ns
      .within(() => readFileSync(file, 'utf8'))
      .split('\n')
      .filter(Boolean);
  } catch {
    return [];
  }
}

/** IPv4, and IPv6 where the kernel has it. */
export function familiesOf(ns: LinuxNamespace): Family[] {
  const { existsSync } = process.getBuiltinModule('node:fs');
  return ns.within(() => existsSync('/proc/thread-self/net/if_inet6')) ? [4, 6] : [4];
}

/** What `iptables-save` says of one table, or of all. */
export function save(ns: LinuxNamespace, variant: Variant, family: Family, table?: string): string {
  const args = table === undefined ? [] : ['-t', table];
  const { ok, output, error } = runTool(ns, toolName(ns, variant, family, 'save'), args);
  if (ok) return output;
  throw toolError(variant, family, 'the rules could not be read', error);
}

/** The answer of `iptables-restore --noflush` to lines of its language: each table in them is one transaction. */
export function restore(ns: LinuxNamespace, variant: Variant, family: Family, script: string): ToolAnswer {
  return runTool(ns, toolName(ns, variant, family, 'restore'), ['--noflush', '--wait', WAIT], script);
}

export function toolError(variant: Variant, family: Family, what: string, reason: string): NetError {
  const subject = `iptables-${variant} IPv${family}`;
  return new NetError({ kind: 'kernel', op: 'firewall', subject, what, reason: firstLine(reason) });
}

/** What `iptables` itself is; undefined where there is none. */
export function nativeVariant(ns: LinuxNamespace): Variant | undefined {
  const answer = tryTool(ns, 'iptables', ['--version']);
  if (!answer?.ok) return undefined;
  return answer.output.includes('nf_tables') ? 'nft' : 'legacy';
}

const names = new Map<string, string>();

/** `iptables-nft-restore`, or `iptables-restore` where the plain name is of that variant. */
function toolName(ns: LinuxNamespace, variant: Variant, family: Family, verb: 'save' | 'restore'): string {
  const base = family === 4 ? 'iptables' : 'ip6tables';
  const key = `${base}-${variant}-${verb}`;
  const known = names.get(key);
  if (known !== undefined) return known;
  const exists = tryTool(ns, key, ['--version']) !== undefined;
  if (!exists && nativeVariant(ns) !== variant) {
    const hint = 'Install iptables';
    throw new NetError({ kind: 'unsupported', op: 'firewall', subject: key, what: 'there is no such command', hint });
  }
  const name = exists ? key : `${base}-${verb}`;
  names.set(key, name);
  return name;
}

function runTool(ns: LinuxNamespace, file: string, args: readonly string[], input = ''): ToolAnswer {
  const answer = tryTool(ns, file, args, input);
  if (answer !== undefined) return answer;
  const hint = 'Install iptables';
  throw new NetError({ kind: 'unsupported', op: 'firewall', subject: file, what: 'there is no such command', hint });
}

/** Undefined where there is no such command. */
function tryTool(ns: LinuxNamespace, file: string, args: readonly string[], input = ''): ToolAnswer | undefined {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const options = { input, encoding: 'utf8', maxBuffer: 1 << 30 } as const;
  const { pid, status, stdout, stderr, error } = ns.within(() => spawnSync(file, args, options));
  noteChild(pid);
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') return undefined;
  if (error !== undefined) throw new NetError({ kind: 'kernel', op: 'firewall', subject: file, what: error.message });
  return { ok: status === 0, output: stdout, error: stderr };
}

/** What went wrong, without iptables' warnings about the other variant. */
function firstLine(text: string): string {
  return text.split('\n').find((line) => line !== '' && !line.startsWith('#')) ?? '';
}
