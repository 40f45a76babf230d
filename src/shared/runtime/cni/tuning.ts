import { readFileSync } from 'node:fs';
import { parseTuning, type Tuning } from '../../config/tuning.ts';
import { addChained, checkChained, deleteChained } from '../../core/endpoints/chained.ts';
import { describeTuning, tuningQuery } from '../../drivers/tuning/tuning.ts';
import { fault } from '../../errors/fault.ts';
import { given } from '../../model/given.ts';
import type { ChainedPlugin } from './chain.ts';
import { parseCniArgs } from './cni-args.ts';
import { attachmentOf, type Call } from './request.ts';
import type { CniResult } from './result.ts';

const role = 'tuning';

/** The reference's format: one regular expression a line. */
const ALLOWLIST = '/etc/cni/tuning/allowlist.conf';

/** The reference tuning plugin's keys and result; our record holds the prior values, instead of its `dataDir`. */
export const tuning: ChainedPlugin = {
  role,

  async add(call, core, previous) {
    const wanted = tuningOf(call);
    const { ifName, netns, ownNamespace } = call.variables;
    if (isNothing(wanted)) return previous;
    await addChained(core, {
      attachment: attachmentOf(call),
      role,
      netns,
      ownNamespace,
      describe: (sandbox) => ({
        kind: 'tuning',
        ...describeTuning(wanted, ifName, core.host.observe(sandbox, tuningQuery(wanted, ifName))),
      }),
    });
    return tuned(previous, wanted, ifName);
  },

  del: ({ variables }, core, part) => deleteChained(core, part, variables.netns),

  async check(call, core) {
    if (isNothing(tuningOf(call))) return;
    await checkChained(core, { attachment: attachmentOf(call), role }, call.variables.netns);
  },

  validate: (call) => void tuningOf(call),
};

function tuningOf({ config, text, variables }: Call): Tuning {
  const mac = parseCniArgs(variables.args).get('MAC');
  const allowlist = readAllowlist();
  return parseTuning({
    config,
    text,
    // STATUS has no interface; any name serves to validate the keys.
    ifName: variables.ifName || 'lo',
    ...given({ mac, allowlist }),
  });
}

function isNothing({ sysctls, ...link }: Tuning): boolean {
  return sysctls.size === 0 && Object.keys(link).length === 0;
}

/** Verifies that the container's interface has the MAC and MTU that it was given. */
function tuned(previous: CniResult, { mac, mtu }: Tuning, ifName: string): CniResult {
  const changes = { ...given({ mac, mtu }) };
  const interfaces = previous.interfaces.map((one) =>
    one.name === ifName && one.sandbox !== undefined ? { ...one, ...changes } : one,
  );
  return { ...previous, interfaces };
}

/** Undefined if the file does not exist. Throws NetError `io` if it cannot be read, so that nothing is allowed. */
function readAllowlist(): string[] | undefined {
  try {
    const lines = readFileSync(ALLOWLIST, 'utf8').split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
      return undefined;
    }
    const what = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw fault.io('config', ALLOWLIST, what, undefined, { cause });
  }
}
