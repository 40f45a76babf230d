import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { Element } from '../support/chain.ts';
import { type CniAnswer, expectOk, type PluginCall, runPlugin } from '../support/cni.ts';
import type { CniHost } from '../support/cni-host.ts';

/** One way to connect a pod with masquerade, a host port and a policy: a chain of plugins on its own host. */
export interface ChainSide extends Disposable {
  readonly label: string;
  readonly host: CniHost;
  /** The host's namespace, in which plugins start. */
  readonly ns: LinuxNamespace;
  readonly elements: readonly Element[];
}

export const LIST = { cniVersion: '1.0.0', name: 'web' };
export const BRIDGE = 'isth0';

/** Runs the list's plugins in order, each with the result of the previous one. */
export function addPod(side: ChainSide, id: string, hostPort: number): CniAnswer {
  return side.elements.reduce<CniAnswer>((previous, element, i) => {
    const given = i === 0 ? {} : { prevResult: previous };
    return call(side, element, 'ADD', id, { ...runtimeConfig(element, hostPort), ...given });
  }, {});
}

/** Runs the plugins from last to first, each with the result of the whole chain. */
export function delPod(side: ChainSide, id: string, hostPort: number, prevResult?: CniAnswer): void {
  const given = prevResult === undefined ? {} : { prevResult };
  for (const element of side.elements.toReversed()) {
    call(side, element, 'DEL', id, { ...runtimeConfig(element, hostPort), ...given });
  }
}

/** The runtime's arguments for an element that has asked for them. */
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
