import type { LinuxNamespace } from '../../host/linux-namespace.ts';
import { runTool } from '../../host/tool.ts';
import type { ChainId } from '../../netlink/nft-rules.ts';
import { chainText, familyText, ruleHandle } from '../chains.ts';

interface RuleId {
  readonly chain: ChainId;
  /** Absent: the policy. */
  readonly handle?: bigint;
  readonly does?: 'accept' | 'drop';
}

const TOOL_MS = 3000;

/** The rules as `nft` prints them; by their handles where the command is not installed. */
export async function extractRules(ns: LinuxNamespace, rules: readonly RuleId[]): Promise<string[]> {
  const texts: string[] = [];
  for (const { chain, handle, does = 'drop' } of rules) {
    const place = chainText(chain);
    if (handle === undefined) texts.push(`policy ${does} of ${place}`);
    else texts.push(`${(await printed(ns, chain, handle)) ?? ruleHandle(handle)} (${place})`);
  }
  return texts;
}

async function printed(
  ns: LinuxNamespace,
  { family, table, chain }: ChainId,
  handle: bigint,
): Promise<string | undefined> {
  const words = ['--handle', 'list', 'chain', familyText(family), table, chain];
  const answer = await runTool(ns, 'nft', words, '', TOOL_MS);
  const line = answer?.output.split('\n').find((text) => text.endsWith(`# handle ${handle}`));
  return line
    ?.replace(/ # handle \d+$/, '')
    .replace(/counter packets \d+ bytes \d+ /, '')
    .trim();
}
