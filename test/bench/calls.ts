import { type CniCommand, expectOk, type PluginCall, runPlugin, runPluginAsync } from '../support/cni.ts';
import { type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { peakMemory } from './peak-memory.ts';
import { ratePerSecond, type Summary, summarize, timed } from './stats.ts';

/** Where the calls run: private directories and the namespaces of pods. */
export interface Site {
  readonly stateDir: string;
  readonly dataDir: string;
  readonly pods: readonly string[];
}

/** One side of the comparison: its own interface in every pod, a bridge and a pool. */
export interface Side {
  readonly label: string;
  readonly dir: string;
  readonly name: BridgeType;
  readonly ifName: string;
  readonly config: NetConf;
}

export const COMMANDS = ['ADD', 'CHECK', 'DEL'] as const;
export type Times = Readonly<Record<(typeof COMMANDS)[number], Summary>>;
export interface Rates {
  readonly ADD: number;
  readonly DEL: number;
}

export function makeSide(label: string, dir: string, name: BridgeType, index: number, site: Site): Side {
  const ranges = [[{ subnet: `10.${88 + index}.0.0/16` }]];
  const config = bridgeConf(name, site, { ipam: { ranges, routes: [] }, conf: { bridge: `isth${index}` } });
  return { label, dir, name, ifName: `eth${index}`, config: { ...config, name: label } };
}

/** Creates the network with one permanent pod, so that every file was read once. */
export function warmUp(site: Site, side: Side): void {
  expectOk(runPlugin(callOf(site, side, 'ADD', 0)));
}

export function coolDown(site: Site, side: Side): void {
  expectOk(runPlugin(callOf(site, side, 'DEL', 0)));
}

/**
 * Runs every command on every pod but the first, one call at a time, the sides in turn. `between` runs after each
 * round of ADDs, so that it is measured with the same load on the machine.
 */
export function sequential(site: Site, sides: readonly Side[], between: () => void): Readonly<Record<string, Times>> {
  const times = sides.map(() => ({ ADD: [] as number[], CHECK: [] as number[], DEL: [] as number[] }));
  const results = new Map<string, unknown>();
  for (const command of COMMANDS) {
    for (let pod = 1; pod < site.pods.length; pod++) {
      for (const [i, side] of sides.entries()) {
        const key = `${side.label} ${pod}`;
        const prevResult = results.get(key);
        const call = callOf(site, side, command, pod, prevResult === undefined ? {} : { prevResult });
        times[i]?.[command].push(timed(() => void results.set(key, expectOk(runPlugin(call)))));
        if (command !== 'ADD') results.set(key, prevResult);
      }
      if (command === 'ADD') between();
    }
  }
  return Object.fromEntries(
    sides.map(({ label }, i) => {
      const { ADD = [], CHECK = [], DEL = [] } = times[i] ?? {};
      return [label, { ADD: summarize(ADD), CHECK: summarize(CHECK), DEL: summarize(DEL) }];
    }),
  );
}

/** ADDs, then DELs, per second, with `width` calls under way at any time. */
export async function rates(site: Site, side: Side, width: number): Promise<Rates> {
  const all = (command: 'ADD' | 'DEL'): Promise<number> =>
    ratePerSecond(site.pods.length - 1, width, async (i) => {
      expectOk(await runPluginAsync(callOf(site, side, command, i + 1)));
    });
  const add = await all('ADD');
  return { ADD: add, DEL: await all('DEL') };
}

/** The peak resident memory of one ADD and one DEL, in MB; the largest of five. */
export function peaks(site: Site, side: Side): Rates {
  const most: { ADD: number; DEL: number } = { ADD: 0, DEL: 0 };
  for (let i = 0; i < 5; i++) {
    for (const command of ['ADD', 'DEL'] as const) {
      most[command] = Math.max(most[command], peakMemory(callOf(site, side, command, 1)));
    }
  }
  return most;
}

function callOf(site: Site, side: Side, command: CniCommand, pod: number, more: object = {}): PluginCall {
  return {
    dir: side.dir,
    name: side.name,
    command,
    containerId: `pod${pod}`,
    ifName: side.ifName,
    netns: site.pods[pod] ?? '',
    stateDir: site.stateDir,
    config: { ...side.config, ...more },
  };
}
