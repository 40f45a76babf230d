import { execFileSync } from 'node:child_process';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { networkEntries, portEntry } from '../support/firewall-entries.ts';
import { withNetns } from '../support/netns.ts';
import { type Summary, summarize, timed } from './stats.ts';

/** Time of the firewall's part of one ADD or DEL in this process, by what is there already. */
export type FirewallTimes = Readonly<Record<string, Summary>>;

const SAMPLES = 200;
const FOREIGN_CHAINS = 5000;
const FOREIGN_ELEMENTS = 20_000;
const NETWORK: readonly FirewallEntry[] = networkEntries('br-a', '10.81.0.0/16');

/** The nftables firewaller in a namespace of its own: at several numbers of endpoints, then beside others' rules. */
export function measureFirewaller(): FirewallTimes {
  return withNetns(1, (netns) => {
    using host = openLinuxHost({});
    using ns = host.open(netns.path);
    using firewaller = openFirewaller('nftables', ns);
    const times: Record<string, Summary> = {};
    firewaller.add(NETWORK);
    endpoints(firewaller);
    let there = 0;
    for (const count of [0, 250, 1000]) {
      firewaller.add(ports(10_000 + there, count - there));
      there = count;
      const { add, remove } = endpoints(firewaller);
      times[`ADD at ${count} endpoints`] = add;
      times[`DEL at ${count} endpoints`] = remove;
    }
    times['ADD of 100 ports at 1000 endpoints'] = hundredPorts(firewaller);
    execFileSync('ip', ['netns', 'exec', netns.name, 'nft', '-f', '-'], { input: foreignRules() });
    endpoints(firewaller);
    times['one element beside the rules of others'] = endpoints(firewaller).element;
    return times;
  });
}

/** What an ADD asks and does: is the network's part whole, then the port of the endpoint; and a DEL. */
function endpoints(firewaller: Firewaller): Readonly<Record<'add' | 'remove' | 'element', Summary>> {
  const own = [portEntry({ hostPort: 9 })];
  const add: number[] = [];
  const element: number[] = [];
  const remove: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    let part = 0;
    add.push(
      timed(() => {
        if (firewaller.missing(NETWORK).length > 0) throw new Error('the network is not whole');
        part = timed(() => firewaller.add(own));
      }),
    );
    element.push(part);
    remove.push(timed(() => void firewaller.remove(own)));
  }
  return { add: summarize(add), remove: summarize(remove), element: summarize(element) };
}

function hundredPorts(firewaller: Firewaller): Summary {
  const own = ports(2000, 100);
  const times: number[] = [];
  for (let i = 0; i < SAMPLES / 10; i++) {
    times.push(timed(() => firewaller.add(own)));
    firewaller.remove(own);
  }
  return summarize(times);
}

function ports(first: number, count: number): FirewallEntry[] {
  return Array.from({ length: count }, (_, i) =>
    portEntry({ hostPort: first + i, address: `10.81.${(first + i) >> 8}.${(first + i) & 255}` }),
  );
}

/** As kube-proxy's: many chains of one rule, and a large set. */
function foreignRules(): string {
  const lines = ['add table ip others', 'add set ip others big { type ipv4_addr . inet_service; }'];
  for (let i = 0; i < FOREIGN_CHAINS; i++)
    lines.push(`add chain ip others c${i}`, `add rule ip others c${i} ip saddr 192.0.2.1 counter accept`);
  const elements = Array.from({ length: FOREIGN_ELEMENTS }, (_, i) => `10.0.${i >> 8}.${i & 255} . 80`);
  lines.push(`add element ip others big { ${elements.join(', ')} }`);
  return `${lines.join('\n')}\n`;
}
