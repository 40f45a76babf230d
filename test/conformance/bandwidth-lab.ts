import { type Chain, makeChain } from '../support/chain.ts';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { bridgeConf } from '../support/netconf.ts';

export const LIMITS = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 16e6, egressBurst: 16e5 };
export const LIST = { cniVersion: '1.0.0', name: 'web' };

/** What the tests of limits work with; everything is new for each test but the directory of plugins. */
export interface BandwidthLab {
  readonly host: CniHost;
  /** Directory of the plugins under test. */
  readonly dir: string;
  /** The host before anything was done. */
  readonly untouched: string;
  /** A gateway bridge of `name` from `dir`, and bandwidth behind it. */
  chainOf(name: 'bridge' | 'isthmus', dir: string, limits: object, bandwidthDir?: string): Chain;
  ours(limits?: object): Chain;
  tc(...words: string[]): string;
  /** Names of the host's ifbs. */
  ifbs(): string[];
}

/** To be called in a `describe`: a host with two pods is there in each of its tests. */
export function bandwidthLab(): BandwidthLab {
  let bin: PluginDir;
  let host: CniHost;
  let untouched: string;
  before(() => {
    bin = pluginDir();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    host = makeHost(2);
    untouched = host.snapshot();
  });
  afterEach(() => host?.[Symbol.dispose]());

  const chainOf: BandwidthLab['chainOf'] = (name, dir, limits, bandwidthDir = bin.path) =>
    makeChain(
      host,
      [
        { dir, conf: bridgeConf(name, host) },
        { dir: bandwidthDir, conf: { type: 'bandwidth', ...limits } },
      ],
      LIST,
    );
  return {
    get host() {
      return host;
    },
    get dir() {
      return bin.path;
    },
    get untouched() {
      return untouched;
    },
    chainOf,
    ours: (limits = LIMITS) => chainOf('isthmus', bin.path, limits),
    tc: (...words) => host.ns.run('tc', ...words),
    ifbs: () => [...host.ns.ip('-br', 'link', 'show', 'type', 'ifb').matchAll(/^\S+/gm)].map(String),
  };
}
