import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { makeNetns, netnsMissing, type TestNetns } from './netns.ts';
import { skipIf } from './skip.ts';

/** The nftables firewaller in a new namespace for each test. */
export interface NftSite {
  readonly host: LinuxHost;
  readonly netns: TestNetns;
  readonly ns: LinuxNamespace;
  readonly firewaller: Firewaller;
  /** The output of `nft` inside the namespace. */
  nft(...args: readonly string[]): string;
  /** Our table as nft lists it. */
  table(): string;
  ruleset(): string;
}

/** What nft 1.1 prints in other words than 1.0, whose words the golden files have. */
const AS_BEFORE = [
  [/(?<=hook output priority )dstnat/g, '-100'],
  [/tcp flags & \((\w+) \| (\w+)\) == (\w+)/g, 'tcp flags $3 / $1,$2'],
] as const;

/** The listing in the words of nft 1.0, and with the elements of each set sorted: each release has an order of its own. */
function asBefore(listing: string): string {
  const worded = AS_BEFORE.reduce((text, [now, before]) => text.replace(now, before), listing);
  return worded.replace(/(?<=elements = \{ )[^}]*(?= \})/g, (elements) => {
    const separator = /,\s+/.exec(elements)?.[0] ?? '';
    return elements.split(/,\s+/).toSorted().join(separator);
  });
}

/** Registers the hooks of a suite; the returned site is valid inside its tests. */
export function nftSite(): NftSite {
  let host: LinuxHost;
  let netns: TestNetns;
  let ns: LinuxNamespace;
  let firewaller: Firewaller;
  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('nft-');
    ns = host.open(netns.path);
    firewaller = new NftablesFirewaller(ns);
  });
  afterEach(() => {
    firewaller?.[Symbol.dispose]();
    ns?.[Symbol.dispose]();
    netns?.[Symbol.dispose]();
  });
  after(() => host?.[Symbol.dispose]());
  const nft = (...args: readonly string[]): string => netns.run('nft', ...args);
  return {
    get host() {
      return host;
    },
    get netns() {
      return netns;
    },
    get ns() {
      return ns;
    },
    get firewaller() {
      return firewaller;
    },
    nft,
    table: () => asBefore(nft('list', 'table', 'inet', 'isthmus')),
    ruleset: () => asBefore(nft('list', 'ruleset')),
  };
}
