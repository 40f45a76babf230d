import { networkTitle } from '../../../model/attachment.ts';
import { type Endpoint, publishedOf } from '../../../model/endpoint.ts';
import { contains, parsePrefix } from '../../../model/prefix.ts';
import type { Facts, NetworkFacts } from '../facts.ts';
import type { Found } from '../finding.ts';
import type { Rule } from '../rule.ts';
import { count } from './network.ts';

/** BR_MAX_PORTS is 1,024, and port 0 is none (net/bridge/br_private.h). */
const MAX_PORTS = 1023;
const NEARLY = 0.9;
const STRICT = '1';
/** The clock may be set back by this many milliseconds when a time daemon starts. */
const LEAP_MS = 60_000;
const MAIN = 254;

export const BRIDGE_CALLS = {
  4: 'net/bridge/bridge-nf-call-iptables',
  6: 'net/bridge/bridge-nf-call-ip6tables',
} as const;

export function strictKey(device: string): string {
  return `net/ipv4/conf/${device}/rp_filter`;
}

/** The kernel takes the larger of `all` and the device's own: 2 (loose) wins over 1 (strict). */
function isStrict({ view }: Facts, device: string): boolean {
  const values = [strictKey('all'), strictKey(device)].map((key) => Number(view.sysctls.get(key) ?? '0'));
  return String(Math.max(...values)) === STRICT;
}

/** Devices of default routes of IPv4, the preferred one first. */
export function uplinksOf({ view }: Pick<Facts, 'view'>): readonly string[] {
  const routes = view.routes.filter(({ dst }) => dst === '0.0.0.0/0');
  const main = routes
    .filter(({ table = MAIN }) => table === MAIN)
    .toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
  const others = routes.filter(({ table = MAIN }) => table !== MAIN);
  return [...new Set([...main, ...others].flatMap(({ dev }) => dev ?? []))];
}

export const KERNEL_RULES: readonly Rule[] = [
  {
    name: 'rp-filter-strict',
    check: (facts) => [...strictOnBridges(facts), ...strictOnUplinks(facts)],
  },
  {
    name: 'br-netfilter-off',
    check: (facts) =>
      facts.networks.flatMap(({ row, subnets }) => {
        if (row.spec?.rules?.options.policy !== 'isolated') return [];
        const families = new Set(subnets.map(({ subnet }) => (subnet.includes(':') ? (6 as const) : (4 as const))));
        const off = [...families]
          .map((family) => BRIDGE_CALLS[family])
          .filter((key) => facts.view.sysctls.get(key) !== '1');
        if (off.length === 0) return [];
        const isAbsent = off.every((key) => !facts.view.sysctls.has(key));
        const found: Found = {
          level: 'warning',
          subject: networkTitle(row.name),
          what: isAbsent ? 'the module br_netfilter is not loaded' : `sysctl ${off.join(', ')} is 0`,
          why: 'ingressPolicy "isolated" keeps its containers from each other only where bridged traffic is filtered',
          cure: [...(isAbsent ? ['modprobe br_netfilter'] : []), ...off.map((key) => `sysctl -w ${key}=1`)].join('; '),
          networks: [row.name],
          ...(isAbsent ? { repair: { kind: 'modprobe', module: 'br_netfilter' } as const } : {}),
        };
        return [found];
      }),
  },
  {
    name: 'mtu-above-uplink',
    check: (facts) => {
      const [uplink = ''] = uplinksOf(facts);
      const outer = facts.view.links.get(uplink)?.mtu;
      if (outer === undefined) return [];
      return facts.networks.flatMap(({ row }) => {
        const own = facts.view.links.get(row.device);
        if (own === undefined || own.name === uplink || own.mtu <= outer || isInternal(row.spec)) return [];
        const found: Found = {
          level: 'warning',
          subject: networkTitle(row.name),
          what: `its MTU is ${own.mtu}, and that of the way out, ${uplink}, is ${outer}`,
          why: 'Long packets are cut or lost: connections open and then hang, where ICMP is dropped on the way back',
          cure: `set "mtu": ${outer} in its configuration (docker network create -o com.docker.network.driver.mtu=${outer})`,
          networks: [row.name],
        };
        return [found];
      });
    },
  },
  {
    name: 'mtu-above-path',
    check: ({ probes }) =>
      (probes?.paths ?? []).flatMap(({ from, network, to, mtu, arrives }) => {
        if (arrives === undefined || arrives >= mtu) return [];
        const found: Found = {
          level: 'error',
          subject: networkTitle(network),
          what: `packets of ${mtu} bytes from ${from} do not arrive at ${to}; ${arrives} is the most`,
          why: 'Connections open and then hang as soon as much is sent',
          cure: `set "mtu": ${arrives} in its configuration (docker network create -o com.docker.network.driver.mtu=${arrives})`,
          networks: [network],
        };
        return [found];
      }),
  },
  {
    name: 'conntrack-nearly-full',
    check: ({ kernel }) => {
      const { count: used = 0, max = 0 } = kernel.conntrack ?? {};
      if (max === 0 || used < max * NEARLY) return [];
      return [
        {
          level: used >= max ? 'error' : 'warning',
          subject: 'sysctl net.netfilter.nf_conntrack_max',
          what: `${used} of ${max} connections are tracked`,
          why: 'Beyond that the kernel drops new connections of everything on this host ("nf_conntrack: table full")',
          cure: `sysctl -w net.netfilter.nf_conntrack_max=${max * 2}`,
        },
      ];
    },
  },
  {
    name: 'neighbours-nearly-full',
    check: ({ kernel }) =>
      kernel.neighbours.flatMap(({ family, count: used, soft, hard }): Found[] => {
        if (hard === 0 || used < Math.min(soft, hard * NEARLY)) return [];
        const keys = [2, 3].map((n) => `net.ipv${family}.neigh.default.gc_thresh${n}`);
        return [
          {
            level: used >= hard * NEARLY ? 'error' : 'warning',
            subject: `sysctl ${keys[1]}`,
            what: `${used} neighbours are known, and the table has ${hard} (it shrinks from ${soft} on)`,
            why: 'Beyond that, packets to containers fail ("neighbour: table overflow")',
            cure: `sysctl -w ${keys[0]}=${soft * 4} ${keys[1]}=${hard * 4}`,
          },
        ];
      }),
  },
  {
    name: 'bridge-ports-full',
    check: ({ view, networks }) => {
      const ports = new Map<string, number>();
      for (const { master } of view.links.values())
        if (master !== undefined) ports.set(master, (ports.get(master) ?? 0) + 1);
      return networks.flatMap(({ row }): Found[] => {
        const used = ports.get(row.device) ?? 0;
        if (used < MAX_PORTS * NEARLY || view.links.get(row.device)?.kind !== 'bridge') return [];
        return [
          {
            level: used >= MAX_PORTS ? 'error' : 'warning',
            subject: networkTitle(row.name),
            what: `its bridge ${row.device} has ${used} of the ${MAX_PORTS} ports that the kernel allows`,
            why:
              used >= MAX_PORTS
                ? 'No container can join it'
                : `After ${MAX_PORTS - used} more, no container can join it`,
            cure: 'put further containers on another network with a bridge of its own',
            networks: [row.name],
          },
        ];
      });
    },
  },
  {
    name: 'module-missing',
    check: ({ kernel }) =>
      kernel.missingModules.map((module) => ({
        level: 'error',
        subject: `kernel module ${module}`,
        what: 'it is neither loaded nor part of the kernel, and is not installed',
        why: 'Networks on record need it',
        cure: `install the package with the modules of this kernel (linux-modules-extra-$(uname -r)), then: modprobe ${module}`,
        repair: { kind: 'modprobe', module },
      })),
  },
  {
    name: 'clock-jumped',
    check: ({ now, state, daemon }) => {
      const found = (what: string): Found => ({
        level: 'warning',
        subject: 'clock',
        what,
        why: 'Reservations of addresses expire too early or too late, and imported leases may count as older than the boot',
        cure: 'let a time daemon set the clock (timedatectl), then: systemctl restart isthmus.service',
      });
      if (state.latest > now + LEAP_MS)
        return [found(`the records have a time ${seconds(state.latest - now)} in the future`)];
      if (daemon.control.state !== 'answers') return [];
      const { startedAt, uptimeSeconds } = daemon.control.status;
      const off = now - (Date.parse(startedAt) + uptimeSeconds * 1000);
      return Math.abs(off) <= LEAP_MS ? [] : [found(`it was changed by ${seconds(off)} since the daemon started`)];
    },
  },
];

function seconds(ms: number): string {
  return count(Math.round(ms / 1000), 'second');
}

function isInternal(spec: NetworkFacts['row']['spec']): boolean {
  return spec?.rules?.options.policy === 'internal';
}

/** The kernel drops what comes from an address that it would not send to by the same device. */
function strictOnBridges(facts: Facts): Found[] {
  return facts.networks.flatMap(({ row, subnets }) => {
    if (row.device === '' || !facts.view.links.has(row.device) || !isStrict(facts, row.device)) return [];
    return subnets.flatMap(({ subnet }): Found[] => {
      const wanted = parsePrefix(subnet);
      if (wanted?.addr.family !== 4) return [];
      const routes = facts.view.routes.flatMap(({ dst, dev, table = MAIN }) => {
        const prefix = parsePrefix(dst);
        return prefix !== undefined && table === MAIN && contains(prefix, wanted.addr)
          ? [{ length: prefix.length, dev }]
          : [];
      });
      const best = routes.toSorted((a, b) => b.length - a.length)[0];
      // Without any route the host has no part in the network.
      if (best === undefined || best.length === 0 || best.dev === row.device) return [];
      return [strict(row.device, `${subnet} is routed to ${best.dev}`, row.name)];
    });
  });
}

/** Answers of published ports leave by the preferred way: what came in by another one is dropped. */
function strictOnUplinks(facts: Facts): Found[] {
  const [, ...others] = uplinksOf(facts);
  const isPublished = (facts.records?.endpoints ?? []).some((part: Endpoint) => publishedOf(part) !== undefined);
  if (!isPublished) return [];
  return others
    .filter((device) => isStrict(facts, device))
    .map((device) => strict(device, 'the preferred default route leads elsewhere, and containers publish ports'));
}

function strict(device: string, because: string, network?: string): Found {
  return {
    level: 'error',
    subject: `sysctl ${strictKey(device)}`,
    what: `packets that arrive by ${device} are checked strictly, and ${because}`,
    why: 'The kernel drops them without a word',
    cure: `sysctl -w net.ipv4.conf.${device}.rp_filter=2`,
    ...(network === undefined ? {} : { networks: [network] }),
  };
}
