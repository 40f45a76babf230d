import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import { type Element, FIREWALL_TABLE } from '../host/firewall-elements.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { getElements } from '../netlink/nft-sets.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { strerror } from '../netlink/sys.ts';
import { encodeElement, setId } from './nft-elements.ts';
import { targetText } from './nft-ports.ts';
import { isKernels, wordsOfError } from './nft-script.ts';

/** NetError `conflict` for an element whose key is taken; names the current target. */
export function clash(socket: NetlinkSocket, element: Element | undefined): NetError {
  const [raw] = element === undefined ? [] : encodeElement(element);
  if (element === undefined || raw === undefined) return conflict('nft table', 'an element is held by somebody else');
  const [found] = getElements(socket, [{ id: setId(element), element: raw }]);
  const key = element.key.map(({ value }) => value);
  if (/^(port|span|condition|answer)/.test(element.set)) {
    const holder = targetText(socket, element.set, found);
    return conflict(
      `host port ${key.join(' ')}`,
      holder === undefined ? 'it leads elsewhere already' : `it leads to ${holder} already`,
      'Give this endpoint another host port, or remove the one that holds it',
    );
  }
  const what = 'it overlaps another one of this host, or has other options there';
  return conflict(`subnet ${key[0]}`, what, 'Networks of one host need subnets that share no address');
}

/**
 * NetError for a script that nft refused: `invalid-config` if nft could not parse the conditions of a port, the only
 * foreign text in it; otherwise `kernel`.
 */
export function refusedScript(entries: readonly FirewallEntry[], error: string): NetError {
  const conditions = new Set(entries.flatMap((entry) => (entry.kind === 'port' ? entry.conditions : [])));
  if (conditions.size === 0 || isKernels(error)) {
    return fault.kernel('nft', `table ${FIREWALL_TABLE}`, 'a script was refused', undefined, {
      reason: wordsOfError(error),
    });
  }
  return fault.invalidConfig(
    'firewall.add',
    'conditions',
    `${[...conditions].map((one) => JSON.stringify(one)).join(', ')} is not a match in the syntax of nft`,
    'Conditions of the nftables backend are written as in an nft rule, like "ip saddr 192.0.2.0/24"',
    { reason: wordsOfError(error) },
  );
}

/** NetError `kernel` for a transaction that the kernel refused. */
export function refused(op: string, elements: readonly Element[], errno: number): NetError {
  const sets = [...new Set(elements.map(({ set }) => set))].join(', ');
  return fault.kernel(
    op,
    `nft table ${FIREWALL_TABLE}`,
    sets === '' ? 'it was not deleted' : `elements of ${sets} were refused`,
    undefined,
    { errno, reason: strerror(errno) },
  );
}

/** NetError `busy`: other processes changed the ruleset during every attempt. */
export function rulesetBusy(op: string): NetError {
  const what = 'the ruleset changed during every attempt';
  return fault.busy(op, `nft table ${FIREWALL_TABLE}`, what, 'Try again');
}

function conflict(subject: string, what: string, hint?: string): NetError {
  const more = hint === undefined ? {} : { hint };
  return new NetError({ kind: 'conflict', op: 'firewall.add', subject, what, ...more });
}
