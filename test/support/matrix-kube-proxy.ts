import type { Manager } from './matrix-managers.ts';
import type { TestHost } from './test-host.ts';

/*
 * The rules of kube-proxy 1.31 with one service: its cluster address and a node port lead to the host `node`. A service
 * without endpoints is refused. Source: pkg/proxy/iptables and pkg/proxy/nftables of Kubernetes.
 */

const SERVICES = {
  4: { cluster: '10.96.0.10/32', empty: '10.96.0.11/32', endpoint: '10.230.0.9', to: '10.230.0.9:80' },
  6: { cluster: 'fd00:96::a/128', empty: 'fd00:96::b/128', endpoint: 'fd00:230::9', to: '[fd00:230::9]:80' },
} as const;

function iptablesRules(family: 4 | 6): string {
  const { cluster, empty, endpoint, to } = SERVICES[family];
  return `*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC-WEB - [0:0]
:KUBE-SEP-WEB - [0:0]
-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-SERVICES -d ${cluster} -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-SVC-WEB
-A KUBE-SVC-WEB -j KUBE-MARK-MASQ
-A KUBE-SVC-WEB -j KUBE-SEP-WEB
-A KUBE-SEP-WEB -s ${endpoint} -j KUBE-MARK-MASQ
-A KUBE-SEP-WEB -p tcp -m tcp -j DNAT --to-destination ${to}
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-I FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-I OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
-I INPUT -j KUBE-FIREWALL
-A KUBE-SERVICES -d ${empty} -p tcp -m tcp --dport 80 -j REJECT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;
}

const TOOLS = { 4: 'iptables', 6: 'ip6tables' } as const;

/** What kube-proxy does when it ends for good (--cleanup). */
const CLEANUP = (tool: string): string => `
  for t in nat filter; do ${tool}-save -t $t | grep -v KUBE- | ${tool}-restore -T $t; done`;

function loadIptables(host: TestHost): void {
  for (const family of [4, 6] as const) {
    host.write('/run/isth/kube-proxy', iptablesRules(family));
    host.run('sh', '-c', `${TOOLS[family]}-restore --noflush </run/isth/kube-proxy`);
  }
}

const removeIptables = (host: TestHost): void => {
  for (const tool of Object.values(TOOLS)) host.run('sh', '-c', `set -e${CLEANUP(tool)}`);
};

function nftRules(family: 4 | 6): string {
  const { cluster, empty, to } = SERVICES[family];
  const ip = family === 4 ? 'ip' : 'ip6';
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const [service, none] = [cluster, empty].map((prefix) => prefix.slice(0, prefix.indexOf('/')));
  return `add table ${ip} kube-proxy
flush table ${ip} kube-proxy
table ${ip} kube-proxy {
  map service-ips {
    type ${address} . inet_proto . inet_service : verdict
    elements = { ${service} . tcp . 80 : goto service-web }
  }
  map no-endpoint-services {
    type ${address} . inet_proto . inet_service : verdict
    elements = { ${none} . tcp . 80 : goto reject-chain }
  }
  map service-nodeports {
    type inet_proto . inet_service : verdict
    elements = { tcp . 30080 : goto service-web }
  }
  chain reject-chain { reject; }
  chain mark-for-masquerade { meta mark set mark or 0x4000; }
  chain endpoint-web { meta l4proto tcp dnat to ${to}; }
  chain service-web { jump mark-for-masquerade; goto endpoint-web; }
  chain services {
    ${ip} daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local meta l4proto . th dport vmap @service-nodeports
  }
  chain masquerading {
    mark and 0x4000 == 0 return
    meta mark set mark xor 0x4000
    masquerade fully-random
  }
  chain service-endpoints-check { ${ip} daddr . meta l4proto . th dport vmap @no-endpoint-services; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
  chain filter-forward { type filter hook forward priority -110; ct state new jump service-endpoints-check; }
  chain filter-output { type filter hook output priority -110; ct state new jump service-endpoints-check; }
}
`;
}

function loadNftables(host: TestHost): void {
  host.write('/run/isth/kube-proxy', `${nftRules(4)}${nftRules(6)}`);
  host.run('nft', '-f', '/run/isth/kube-proxy');
}

const proxy = (
  mode: string,
  file: string,
  load: Manager['changes'][string],
  stop: Manager['changes'][string],
): Manager => ({
  title: `kube-proxy's rules (${mode})`,
  file,
  shuts: false,
  start: async (host) => load(host),
  changes: {},
  stop: async (host) => stop(host),
});

export const kubeProxies: Readonly<Record<'iptables' | 'nftables', Manager>> = {
  iptables: proxy('iptables', '/usr/sbin/iptables-restore', loadIptables, removeIptables),
  nftables: proxy('nftables', '/usr/sbin/nft', loadNftables, (host) => {
    for (const family of ['ip', 'ip6']) host.run('nft', 'delete', 'table', family, 'kube-proxy');
  }),
};
