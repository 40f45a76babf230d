import { chmodSync } from 'node:fs';
import { attachmentKey } from '../../core/apply.ts';
import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { runTool } from '../../host/tool.ts';
import { parseAddr } from '../../model/addr.ts';
import { attachmentDigest, sameAttachment } from '../../model/attachment.ts';
import type { Finding, Repair } from './finding.ts';

export interface Repaired {
  /** What was done, one line each. */
  readonly done: readonly string[];
  readonly errors: readonly NetError[];
}

/**
 * Makes the safe repairs of the findings, each once. `reload` restores what the records need and returns what it did.
 * Continues after a failure.
 */
export async function repair(
  core: Core,
  findings: readonly Finding[],
  reload: () => Promise<string>,
): Promise<Repaired> {
  const done: string[] = [];
  const errors: NetError[] = [];
  const wanted = new Map(
    findings.flatMap(({ repair: one }) => (one === undefined ? [] : [[keyOf(one), one] as const])),
  );
  for (const one of wanted.values()) {
    try {
      done.push(...(await make(core, one, reload)));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'doctor'));
    }
  }
  return { done, errors };
}

/** A reload also makes the records agree with this boot. */
function keyOf(one: Repair): string {
  return one.kind === 'catch-up' ? 'reload' : one.kind === 'reload' ? one.kind : JSON.stringify(one);
}

async function make(core: Core, one: Repair, reload: () => Promise<string>): Promise<string[]> {
  switch (one.kind) {
    case 'reload':
    case 'catch-up':
      return (await reload()).trimEnd().split('\n');
    case 'mode':
      chmodSync(one.path, one.mode);
      return [`chmod ${one.mode.toString(8).padStart(4, '0')} ${one.path}`];
    case 'release':
      return await release(core, one);
    case 'modprobe':
      return await modprobe(core, one.module);
  }
}

/** Looks again under the owner's lock: a call may have recorded its endpoint meanwhile. */
async function release(core: Core, { scope, address: text }: Extract<Repair, { kind: 'release' }>): Promise<string[]> {
  const address = parseAddr(text);
  const lease = address && core.store.leases.at(scope, address);
  if (address === undefined || lease === undefined) return [];
  using _lock = await core.lock(attachmentKey(lease.owner));
  const digest = attachmentDigest(lease.owner);
  return core.store.transaction(() => {
    const now = core.store.leases.at(scope, address);
    const keys = [
      ...core.store.endpoints.list(lease.owner.network),
      ...core.store.endpoints.broken(lease.owner.network),
    ];
    const isUsed = keys.some(({ attachment }) => attachmentDigest(attachment) === digest);
    if (now === undefined || isUsed || !sameAttachment(now.owner, lease.owner)) return [];
    core.store.leases.release(scope, address);
    return [`released ${text}`];
  });
}

async function modprobe({ host }: Core, module: string): Promise<string[]> {
  if (!(host.own instanceof LinuxNamespace)) return [];
  const answer = await runTool(host.own, 'modprobe', ['--', module]);
  if (answer?.ok) return [`modprobe ${module}`];
  const what = answer === undefined ? 'the command modprobe is not installed' : answer.error.trim();
  throw fault.unsupported('doctor', `kernel module ${module}`, what, 'Install the modules of this kernel');
}
