import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type CniAnswer, type CniCommand, type PluginRun, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { type Kind, kindMissing } from '../support/kinds.ts';
import { type Lan, makeLan } from '../support/lan.ts';
import { installedFile, VIA, type Via } from '../support/via.ts';
import { type Arms, armOf, unlikeReference } from './unlike-reference.ts';

/** One call of a plugin; `pod` 0 and interface `eth0` without others. */
export interface DriverCall {
  /** Keys of the configuration besides version, name and type. */
  readonly keys?: object;
  readonly pod?: number;
  readonly ifName?: string;
  readonly netns?: string;
  readonly args?: string;
  readonly timeout?: number;
}

/** A host with a LAN on its interface `up0`, and the plugins to call: the reference's, or this program under their names. */
export interface DriverLab {
  readonly host: CniHost;
  readonly lan: Lan;
  readonly dir: string;
  run(name: string, command: CniCommand, call?: DriverCall): PluginRun;
  /** The answer of a call that succeeds. */
  ok(name: string, command: CniCommand, call?: DriverCall): CniAnswer;
  /** The message of a call that fails. */
  fails(name: string, command: CniCommand, call?: DriverCall): string;
}

export interface DriverDefect {
  /** A kind of link that both sides need. */
  readonly needs?: Kind;
  /** Anything else that they need and the machine lacks. */
  readonly lacks?: () => string | undefined;
  /** Pods of the host; two by default. */
  readonly pods?: number;
  /** How this program is called. Default: as the run says. */
  readonly via?: Via;
  readonly version?: string;
  /** The fault of the reference. */
  readonly reference: Arms<[DriverLab]>;
  readonly ours: (lab: DriverLab) => void | Promise<void>;
}

/** A row of docs/differences.md that calls of the drivers without a bridge show, under the reference's names. */
export function driverDefect(
  id: string,
  what: string,
  { needs, lacks, reference, ours, ...options }: DriverDefect,
): void {
  unlikeReference(id, what, {
    lacks: () => lacks?.() ?? (needs && lacking(needs)),
    reference: async () => {
      await inLab(referenceDir, { ...options, via: 'alone' }, armOf(reference));
    },
    ours: {
      'the drop-in name': async () => {
        const via = options.via ?? VIA;
        using bin = pluginDir(via);
        symlinkSync(installedFile(via), join(bin.path, 'dhcp'));
        await inLab(bin.path, { ...options, via }, ours);
      },
    },
  });
}

function lacking(kind: Kind): string | undefined {
  using host = makeHost(0, { via: 'alone' });
  return kindMissing(host.ns, kind);
}

async function inLab(
  dir: string,
  { pods = 2, via = VIA, version = '1.0.0' }: Pick<DriverDefect, 'pods' | 'via' | 'version'>,
  work: (lab: DriverLab) => void | Promise<void>,
): Promise<void> {
  using host = makeHost(pods, { via });
  using lan = makeLan(host.ns);
  const run: DriverLab['run'] = (name, command, { keys = {}, pod = 0, ifName = 'eth0', ...more } = {}) => {
    const config = { cniVersion: version, name: 'lan', type: name, ...keys };
    return host.run({ dir, name, command, pod, ifName, config, ...more });
  };
  await work({
    ...{ host, lan, dir, run },
    ok: (name, command, call) => {
      const { code, json, stdout, stderr } = run(name, command, call);
      if (code !== 0) throw new Error(`${name} ${command}: ${stdout}${stderr}`);
      return json ?? {};
    },
    fails: (name, command, call) => {
      const { code, json, stdout, stderr } = run(name, command, call);
      if (code !== 1) throw new Error(`${name} ${command} ended with ${code}: ${stdout}${stderr}`);
      return json?.msg ?? '';
    },
  });
}

/** True if the interface is in the namespace of the pod. */
export function isThere({ host }: DriverLab, name = 'eth0', pod = 0): boolean {
  return new RegExp(`^\\d+: ${name}[@:]`, 'm').test(host.pod(pod).ip('link'));
}

/** An `ipam` that gives addresses of the LAN from 10.5.0.50 on. */
export function lanIpam({ host }: DriverLab, keys: object = {}): object {
  return { type: 'host-local', subnet: '10.5.0.0/24', rangeStart: '10.5.0.50', dataDir: host.dataDir, ...keys };
}
