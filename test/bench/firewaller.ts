import { execFileSync } from 'node:child_process';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { runScript } from '../../src/shared/firewall/nft-script.ts';
import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { FIREWALL_TABLE } from '../../src/shared/host/firewall-elements.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { networkEntries, portEntry } from '../support/firewall-entries.ts';
import { withNetns } from '../support/netns.ts';
import { type Summary, summarize, timedAsync } from './stats.ts';

/** The firewall's part of an ADD or DEL, by the number of existing entries. */
export interface FirewallTimes {
  /** Label of the work → its time in this process. */
  readonly work: Readonly<Record<string, Summary>>;
  /** One element beside the rules of others: sent directly, and through libnftables. */
  readonly element: Readonly<Record<'raw' | 'libnftables', Summary>>;
  readonly foreign: Foreign;
}

/** The number of other programs' rules. */
export interface Foreign {
  readonly chains: number;
  readonly elements: number;
}

const SAMPLES = 200;
/** Reading all rules takes long. */
const SLOW_SAMPLES = 20;
const NETWORK: readonly FirewallEntry[] = networkEntries('br-a', '10.81.0.0/16');

/** The nftables firewaller in a namespace of its own: at several numbers of endpoints, then beside others' rules. */
export function measureFirewaller(endpoints: readonly number[], foreign: Foreign): Promise<FirewallTimes> {
  return withNetns(1, async (netns) => {
    using host = openLinuxHost({});
    using ns = host.open(netns.path);
    const work: Record<string, Summary> = {};
    work['ADD and DEL, the first and the last of the host'] = await alone(ns);
    using firewaller = new NftablesFirewaller(ns);
    await firewaller.add(NETWORK);
    await oneEndpoint(ns);
    let there = 0;
    for (const count of endpoints) {
      await firewaller.add(ports(10_000 + there, count - there));
      there = count;
      const { add, remove } = await oneEndpoint(ns);
      work[`ADD at ${count} endpoints`] = add;
      work[`DEL at ${count} endpoints`] = remove;
    }
    work[`ADD of 100 ports at ${there} endpoints`] = await hundredPorts(firewaller);
    execFileSync('ip', ['netns', 'exec', netns.name, 'nft', '-f', '-'], { input: foreignRules(foreign) });
    return { work, element: await oneElement(ns, firewaller), foreign };
  });
}

/** The requests of an ADD: check the network's part, then add the endpoint's port; and those of a DEL. */
async function oneEndpoint(ns: LinuxNamespace): Promise<Readonly<Record<'add' | 'remove', Summary>>> {
  const own = [portEntry({ hostPort: 9 })];
  const add: number[] = [];
  const remove: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    add.push(
      await called(ns, async (firewaller) => {
        if ((await firewaller.missing(NETWORK)).length > 0) throw new Error('the network is not whole');
        await firewaller.add(own);
      }),
    );
    remove.push(await called(ns, async (firewaller) => succeed(await firewaller.remove(own))));
  }
  return { add: summarize(add), remove: summarize(remove) };
}

/** Creates the table for the endpoint and deletes it with it. */
async function alone(ns: LinuxNamespace): Promise<Summary> {
  const own = [...NETWORK, portEntry({ hostPort: 9 })];
  const times: number[] = [];
  for (let i = 0; i < SLOW_SAMPLES; i++) {
    const work = async (firewaller: Firewaller): Promise<void> => {
      await firewaller.add(own);
      succeed(await firewaller.remove(own));
    };
    times.push(await called(ns, work));
  }
  return summarize(times);
}

/** Opens and closes the socket for each piece of work, as every plugin call does in a process of its own. */
function called(ns: LinuxNamespace, work: (firewaller: Firewaller) => Promise<void>): Promise<number> {
  return timedAsync(async () => {
    using firewaller = new NftablesFirewaller(ns);
    await work(firewaller);
  });
}

async function hundredPorts(firewaller: Firewaller): Promise<Summary> {
  const own = ports(2000, 100);
  const times: number[] = [];
  for (let i = 0; i < SLOW_SAMPLES; i++) {
    times.push(await timedAsync(async () => void (await firewaller.add(own))));
    succeed(await firewaller.remove(own));
  }
  return summarize(times);
}

async function oneElement(
  ns: LinuxNamespace,
  firewaller: Firewaller,
): Promise<Readonly<Record<'raw' | 'libnftables', Summary>>> {
  const own = [portEntry({ hostPort: 9 })];
  const raw: number[] = [];
  const libnftables: number[] = [];
  await firewaller.add(own);
  for (let i = 0; i < SAMPLES; i++) {
    succeed(await firewaller.remove(own));
    raw.push(await timedAsync(async () => void (await firewaller.add(own))));
  }
  const line = `${FIREWALL_TABLE} port_any4 { tcp . 9 : 10.81.0.2 . 80 }`;
  for (let i = 0; i < SLOW_SAMPLES; i++) {
    succeed(await firewaller.remove(own));
    libnftables.push(
      await timedAsync(async () => {
        const { ok, error } = await runScript(ns, [`add element ${line}`], 'libnftables');
        if (!ok) throw new Error(error);
      }),
    );
  }
  return { raw: summarize(raw), libnftables: summarize(libnftables) };
}

function succeed([failure]: readonly Error[]): void {
  if (failure !== undefined) throw failure;
}

function ports(first: number, count: number): FirewallEntry[] {
  return Array.from({ length: count }, (_, i) =>
    portEntry({ hostPort: first + i, address: `10.81.${(first + i) >> 8}.${(first + i) & 255}` }),
  );
}

/** Rules like those of kube-proxy: many chains of one rule, and a large set. */
function foreignRules({ chains, elements }: Foreign): string {
  const lines = ['add table ip others', 'add set ip others big { type ipv4_addr . inet_service; }'];
  for (let i = 0; i < chains; i++)
    lines.push(`add chain ip others c${i}`, `add rule ip others c${i} ip saddr 192.0.2.1 counter accept`);
  const list = Array.from({ length: elements }, (_, i) => `10.0.${i >> 8}.${i & 255} . 80`);
  lines.push(`add element ip others big { ${list.join(', ')} }`);
  return `${lines.join('\n')}\n`;
}
