import { type Chain, type Element, makeChain } from '../support/chain.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { ruleset } from '../support/filter-tools.ts';
import { bridgeConf } from '../support/netconf.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';
import { type Agent, startAgent } from '../support/traffic.ts';

/** How a network is written: one element that does all of it, or the reference's list. */
export type Form = 'isthmus' | 'bridge, portmap, firewall';
export const FORMS: readonly Form[] = ['isthmus', 'bridge, portmap, firewall'];

/** The settings that create rules, in each form. */
export type Backend = 'nftables' | 'iptables';

/** The keys that choose a backend, for an element that makes the interface and for portmap and firewall. */
export function choose(form: Form, backend: Backend): Pick<Wanted, 'bridge' | 'portmap' | 'firewall'> {
  if (form === 'isthmus') return { bridge: { firewall: { backend } } };
  return { bridge: { ipMasqBackend: backend }, portmap: { backend }, firewall: { backend } };
}

export interface Port {
  readonly hostPort: number;
  readonly protocol?: 'tcp' | 'udp';
  readonly hostIP?: string;
}

export interface Wanted {
  /** `web` unless given, on bridge isth0 with 10.88.0.0/24; network n of these is on isth<n> with 10.<88+n>.0.0/24. */
  readonly network?: 'web' | 'db';
  /** Host ports that lead to port 80 of the pod. */
  readonly ports?: readonly Port[];
  /** Added to the range of addresses. */
  readonly range?: Readonly<Record<string, unknown>>;
  /** A pod has one, whatever the number of its interfaces; true unless given. */
  readonly defaultRoute?: boolean;
  /** Added to the element that publishes ports, or to the only one. */
  readonly portmap?: Readonly<Record<string, unknown>>;
  /** Added to the element that lets traffic through, where it is one of its own. */
  readonly firewall?: Readonly<Record<string, unknown>>;
  /** Added to the element that makes the interface, or to the only one. */
  readonly bridge?: Readonly<Record<string, unknown>>;
  readonly dir: string;
}

/** A host with pods and a neighbour `outside` on its uplink, which knows no way to the pods but by the host's address. */
export interface Lab extends Disposable {
  readonly host: CniHost;
  readonly hostAgent: Agent;
  readonly outside: TestNetns;
  readonly outsideAgent: Agent;
  /** A masquerading network as libcni would call it. */
  chain(form: Form, wanted: Wanted): Chain;
  /** Serves 80, TCP, in the pod, as `pod<index>`. */
  serve(index: number): Promise<Agent>;
  /** All rules of all programs. */
  rules(): string;
  /** Puts the packet filter back: the verb `reload` of the executable in `dir`. */
  reload(dir: string): string;
}

/** Addresses of `outside`, and of the host towards each of them. */
export const OUTSIDE = '192.0.2.9';
export const OTHER_OUTSIDE = '192.0.2.10';
export const UPLINK = '192.0.2.1';
/** `outside` comes from OTHER_OUTSIDE where it goes to this one. */
export const OTHER_UPLINK = '192.0.2.2';
export const SERVICE = 80;

export async function makeLab(pods: number): Promise<Lab> {
  const made: Disposable[] = [];
  const keep = <T extends Disposable>(one: T): T => {
    made.push(one);
    return one;
  };
  const dispose = (): void => {
    for (const one of made.toReversed()) one[Symbol.dispose]();
  };
  try {
    const host = keep(makeHost(pods));
    const outside = keep(makeNetns('out-'));
    connect(host.ns, outside);
    const hostAgent = keep(startAgent('host', host.ns));
    const outsideAgent = keep(startAgent('outside', outside));
    await outsideAgent.serve('tcp', SERVICE);
    return {
      host,
      hostAgent,
      outside,
      outsideAgent,
      chain: (form, wanted) => makeChain(host, elementsOf(form, host, wanted), listOf(wanted)),
      serve: async (index) => {
        const agent = keep(startAgent(`pod${index}`, host.pod(index)));
        await agent.serve('tcp', SERVICE);
        return agent;
      },
      rules: () => ruleset(host.ns),
      reload: (dir) => {
        const variables = [`PATH=${process.env.PATH}`, `ISTHMUS_STATE_DIR=${host.stateDir}`];
        return host.ns.run('env', '-i', ...variables, `${dir}/isthmus`, 'reload');
      },
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function connect(host: TestNetns, outside: TestNetns): void {
  host.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
  for (const address of [UPLINK, OTHER_UPLINK]) host.ip('addr', 'add', `${address}/24`, 'dev', 'up0');
  for (const address of [OUTSIDE, OTHER_OUTSIDE]) outside.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
  host.ip('link', 'set', 'up0', 'up');
  for (const device of ['lo', 'eth0']) outside.ip('link', 'set', device, 'up');
  outside.ip('route', 'add', `${OTHER_UPLINK}/32`, 'dev', 'eth0', 'src', OTHER_OUTSIDE);
}

function listOf({ network = 'web' }: Wanted): Readonly<Record<string, unknown>> {
  return { cniVersion: '1.0.0', name: network };
}

function elementsOf(form: Form, host: CniHost, wanted: Wanted): Element[] {
  const { network = 'web', ports = [], portmap = {}, bridge = {}, range = {}, defaultRoute = true, dir } = wanted;
  const number = network === 'web' ? 0 : 1;
  const conf = { name: network, ipMasq: true, bridge: `isth${number}`, ...bridge };
  const ranges = [[{ subnet: `10.${88 + number}.0.0/24`, ...range }]];
  const ipam = { ranges, ...(defaultRoute ? {} : { routes: [] }) };
  const portMappings = ports.map((port) => ({ containerPort: SERVICE, protocol: 'tcp', ...port }));
  const runtimeConfig = ports.length > 0 ? { runtimeConfig: { portMappings } } : {};
  if (form === 'isthmus') {
    return [{ dir, conf: bridgeConf('isthmus', host, { conf: { ...conf, ...runtimeConfig, ...portmap }, ipam }) }];
  }
  return [
    { dir, conf: bridgeConf('bridge', host, { conf, ipam }) },
    { dir, conf: { type: 'portmap', ...runtimeConfig, ...portmap } },
    { dir, conf: { type: 'firewall', ...wanted.firewall } },
  ];
}
