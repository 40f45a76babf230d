import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Family } from '../../src/shared/model/addr.ts';
import type { CniAnswer } from './cni.ts';
import type { CrioAnswer, CrioCommand, CrioPod } from './crio.ts';
import { CrioHostPorts } from './crio-hostports.ts';

/*
 * What CRI-O does for the network of a pod. Source: cri-o, server/sandbox_network.go, networkStart and networkStop.
 * The plugin is told no host ports: newPodNetwork passes bandwidth, the control group and annotations only.
 */

const managers = { 4: new CrioHostPorts(4), 6: new CrioHostPorts(6) } as const;

/** Throws what the kubelet gets to see. */
async function start(pod: CrioPod): Promise<void> {
  try {
    const answer: CniAnswer = JSON.parse(callPlugin(pod, 'ADD'));
    const addresses = (answer.ips ?? []).map(({ address }) => address.split('/')[0] ?? '');
    for (const family of [4, 6] as const) {
      const first = addresses.find((address) => familyOf(address) === family);
      if (first !== undefined && pod.ports.length > 0) await managers[family].add(pod.id, pod.ports, first);
    }
  } catch (error) {
    stop(pod);
    throw error;
  }
}

function stop(pod: CrioPod): void {
  for (const manager of Object.values(managers)) manager.remove(pod.id, pod.ports);
  callPlugin(pod, 'DEL');
}

/** The plugin is a child of this process, as it is of CRI-O. */
function callPlugin({ plugin: { file, env, input } }: CrioPod, command: 'ADD' | 'DEL'): string {
  const ran: SpawnSyncReturns<string> = spawnSync(file, [], {
    ...{ env: { ...env, CNI_COMMAND: command }, input, encoding: 'utf8' },
  });
  if (ran.status !== 0) throw new Error(`${command}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);

async function carryOut({ does, pod }: CrioCommand): Promise<CrioAnswer> {
  try {
    await (does === 'start' ? start(pod) : stop(pod));
    return {};
  } catch (error) {
    return { error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await carryOut(JSON.parse(line))));
}
process.exit();
