import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Element } from '../support/chain.ts';
import { type CniAnswer, expectOk, type PluginCall, runPlugin } from '../support/cni.ts';
import type { CniHost } from '../support/cni-host.ts';

/** A way to connect a pod with masquerade, a host port and a policy: plugins in a row, on a host of their own. */
export interface ChainSide extends Disposable {
  readonly label: string;
  readonly host: CniHost;
  /** The host's namespace, in which plugins are started. */
  readonly ns: LinuxNamespace;
  readonly elements: readonly Element[];
}

export const LIST = { cniVersion: '1.0.0', name: 'web' };
export const BRIDGE = 'isth0';

/** The list's plugins one after the other, each with the result of the one before. */
export function addPod(side: ChainSide, id: string, hostPort: number): CniAnswer {
  return side.elements.reduce<CniAnswer>((previous, element, i) => {
    const given = i === 0 ? {} : { prevResult: previous };
    return call(side, element, 'ADD', id, { ...runtimeConfig(element, hostPort), ...given });
  }, {});
}

/** From the last to the first, each with the result of the whole. */
export function delPod(side: ChainSide, id: string, hostPort: number, prevResult?: CniAnswer): void {
  const given = prevResult === undefined ? {} : { prevResult };
  for (const element of side.elements.toReversed()) {
    call(side, element, 'DEL', id, { ...runtimeConfig(element, hostPort), ...given });
  }
}

/** What a runtime tells an element that has asked for it. */
export function runtimeConfig({ conf }: Element, hostPort: number): object {
  if (conf.capabilities === undefined) return {};
  return { runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] } };
}

function call(side: ChainSide, { dir, conf }: Element, command: 'ADD' | 'DEL', id: string, more: object): CniAnswer {
  const { host, ns } = side;
  const one: PluginCall = {
    dir,
    name: conf.type,
    command,
    containerId: id,
    ifName: 'eth0',
    netns: host.pod(0).path,
    stateDir: host.stateDir,
    config: { ...LIST, ...conf, ...more },
  };
  return ns.within(() => expectOk(runPlugin(one)));
}
