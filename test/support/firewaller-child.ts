import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';

/**
 * Adds its own entries to the namespace at a path and removes them, a given number of times. Prints a line for each
 * fault: an error, or an entry that is missing after `add`.
 */
const [path = '', kind = '', index = '', rounds = '', stateDir = ''] = process.argv.slice(2);
const number = Number(index);
const queue = new LockQueue(stateDir);

using host = openLinuxHost();
using ns = host.open(path);
using firewaller =
  kind === 'libnftables' || kind === 'nft'
    ? new NftablesFirewaller(ns, kind)
    : openFirewaller('iptables', ns, {
        variant: kind === 'iptables-legacy' ? 'legacy' : 'nft',
        lock: (key) => queue.lock(key),
      });

const perFamily: FirewallEntry[] = [4, 6].flatMap((family): FirewallEntry[] => {
  const base = family === 4 ? `10.90.${number}` : `fd90:${number}:`;
  return [
    { kind: 'masquerade', subnet: family === 4 ? `${base}.0/24` : `${base}:/64`, except: [] },
    {
      kind: 'port',
      protocol: 'tcp',
      hostPort: 8000 + number,
      address: family === 4 ? `${base}.2` : `${base}:2`,
      port: 80,
      snat: true,
      masqAll: false,
      conditions: [],
    },
  ];
});

const entries: FirewallEntry[] = [{ kind: 'admit', device: `br-${number}` }, ...perFamily];

for (let round = 0; round < Number(rounds); round++) {
  try {
    await firewaller.add(entries);
    for (const entry of await firewaller.missing(entries)) say(round, `not there: ${JSON.stringify(entry)}`);
    for (const error of await firewaller.remove(entries)) say(round, String(error));
  } catch (error) {
    say(round, String(error));
  }
}

function say(round: number, text: string): void {
  console.log(`${index}, round ${round}: ${text}`);
}
