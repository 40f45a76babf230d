import { pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { BRIDGE_TYPES, type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';
import { type Arms, armOf, unlikeReference } from './unlike-reference.ts';

/** The directory and name to call, and the host to call on. */
export interface Caller {
  readonly dir: string;
  readonly name: BridgeType;
  readonly host: CniHost;
}

export interface Defect {
  /** Pods of the host; one by default. */
  readonly pods?: number;
  readonly forwarding?: boolean;
  /** The fault of the reference. */
  readonly reference: Arms<[Caller]>;
  /** The behaviour that the specification demands, under the reference's name and under our own. */
  readonly ours: (caller: Caller) => void | Promise<void>;
}

/** A row of docs/differences.md that one call, or a few, of a bridge plugin show. */
export function defect(id: string, what: string, { pods = 1, forwarding = true, reference, ours }: Defect): void {
  unlikeReference(id, what, {
    reference: async () => {
      using host = makeHost(pods, { forwarding });
      await armOf(reference)({ dir: referenceDir, name: 'bridge', host });
    },
    ours: Object.fromEntries(
      BRIDGE_TYPES.map((name) => [
        name,
        async () => {
          using bin = pluginDir();
          using host = makeHost(pods, { forwarding });
          await ours({ dir: bin.path, name, host });
        },
      ]),
    ),
  });
}

/** The gateway bridge of bridgeConf with changes to `ipam` and at the top. */
export function conf(
  { name }: Pick<Caller, 'name'>,
  host: CniHost,
  ipam: Readonly<Record<string, unknown>> = {},
  top: Readonly<Record<string, unknown>> = {},
): NetConf {
  return bridgeConf(name, host, { ipam, conf: top });
}
