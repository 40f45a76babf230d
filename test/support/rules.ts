import type { TestHost } from './test-host.ts';

/** All rules of all backends in the host, without counts and dates; those of iptables-legacy if it has tables. */
export function rules(host: TestHost): string {
  return host
    .run('sh', '-c', SCRIPT)
    .replace(/^#.*\n/gm, '')
    .replace(/ ?\[\d+:\d+\]/g, '')
    .replace(/counter packets \d+ bytes \d+/g, 'counter');
}

const SCRIPT = `nft list ruleset
  for t in ip ip6; do [ -s /proc/net/\${t}_tables_names ] && \${t}tables-legacy-save; done; true`;
