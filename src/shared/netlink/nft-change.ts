import { ENOENT } from './constants.ts';
import { NF_DROP, NFT_MSG_GETCHAIN } from './netfilter.ts';
import { nftType, rulesetGeneration, type TableId } from './nfnetlink.ts';
import {
  addChainRequest,
  addRuleRequest,
  deleteChainRequest,
  deleteRuleRequest,
  deleteTableAt,
  deleteTableRequest,
  transactAt,
} from './nft-batch.ts';
import { chainMessage, type RuleChange, readRules } from './nft-rules.ts';
import type { NetlinkSocket } from './socket.ts';

const MAX_ATTEMPTS = 32;

export const NO_CHANGE: RuleChange = { createChains: [], insert: [], remove: [], deleteChains: [] };

/**
 * Applies the whole change if the ruleset still has generation `at`; otherwise applies nothing and returns `changed`.
 * Returns the kernel's errno and text for the first refused step, 0 for success.
 */
export function changeRulesAt(
  socket: NetlinkSocket,
  { createChains, insert, remove, deleteChains }: RuleChange,
  at: number,
): 'changed' | { readonly errno: number; readonly text: string } {
  const steps = [
    ...createChains.map(({ hook, ...chain }) => addChainRequest(chain, hook)),
    // Insert before deleting: a new rule's position may refer to a rule that is deleted.
    ...insert.map(addRuleRequest),
    ...remove.map(({ chain, handle }) => deleteRuleRequest(chain, handle)),
    ...deleteChains.map(deleteChainRequest),
  ];
  return transactAt(socket, steps, at);
}

/**
 * Deletes the table if `holds`. The kernel has no "delete if", so the deletion names the generation that was read.
 * Returns the kernel's errno, 0 if the table is gone or stays.
 */
export function deleteTableIf(socket: NetlinkSocket, id: TableId, holds: (socket: NetlinkSocket) => boolean): number {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const at = rulesetGeneration(socket);
    if (!holds(socket)) return 0;
    const result = deleteTableAt(socket, id, at);
    if (result !== 'changed') return result === ENOENT ? 0 : result;
  }
  return 0;
}

/**
 * Deletes the table's chains without rules and with policy accept, and the table if it has no other chain. Keeps chains
 * that are referred to.
 */
export function deleteUnused(socket: NetlinkSocket, family: number, table: string, chains: readonly string[]): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const at = rulesetGeneration(socket);
    const present = chainsOf(socket, family, table);
    const unused = present.filter(({ name, policy }) => {
      return (
        chains.includes(name) && policy !== NF_DROP && readRules(socket, { family, table, chain: name }).length === 0
      );
    });
    if (unused.length === 0) return;
    const requests = unused.map(({ name }) => deleteChainRequest({ family, table, chain: name }));
    if (unused.length === present.length) requests.push(deleteTableRequest({ family, table }));
    if (transactAt(socket, requests, at) !== 'changed') return;
  }
}

function chainsOf(
  socket: NetlinkSocket,
  family: number,
  table: string,
): { readonly name: string; readonly policy: number | undefined }[] {
  const payload = chainMessage.encode({ header: { family }, attrs: {} });
  return socket.dump({ type: nftType(NFT_MSG_GETCHAIN), payload }).flatMap((message) => {
    const { table: of, name, policy } = chainMessage.decode(message.payload, true)?.attrs ?? {};
    return of === table && name !== undefined ? [{ name, policy }] : [];
  });
}
