import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { BRIDGE_TYPES, type BridgeType, bridgeConf, type NetConf } from '../support/netconf.ts';

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
  readonly reference: (caller: Caller) => void | Promise<void>;
  /** The behaviour that the specification demands, under the reference's name and under our own. */
  readonly ours: (caller: Caller) => void | Promise<void>;
}

/**
 * A defect of Debian's plugins is shown on them: 1.1.1 of Debian 12 and 13, or 1.9.1. The same calls then do the right
 * thing here.
 */
export function defect(title: string, { pods = 1, forwarding = true, reference, ours }: Defect): void {
  describe(`a defect of the reference: ${title}`, function () {
    this.timeout(180_000);
    let bin: PluginDir;
    before(() => {
      bin = pluginDir();
    });
    after(() => bin?.[Symbol.dispose]());
    it('the reference fails', async () => {
      using host = makeHost(pods, { forwarding });
      await reference({ dir: referenceDir, name: 'bridge', host });
    });
    for (const name of BRIDGE_TYPES) {
      it(`${name} behaves correctly`, async () => {
        using host = makeHost(pods, { forwarding });
        await ours({ dir: bin.path, name, host });
      });
    }
  });
}

/** True of 1.9.1, not of 1.1.1. */
export function referenceKnowsCni11(host: CniHost): boolean {
  const { json } = host.run({ dir: referenceDir, name: 'bridge', command: 'VERSION', config: { cniVersion: '1.0.0' } });
  return json?.supportedVersions?.includes('1.1.0') === true;
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
