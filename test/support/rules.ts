import type { TestHost } from './test-host.ts';

/** All rules of all backends in the host, without counts and dates; those of iptables-legacy if it has tables. */
export function rules(host: TestHost): string {
  return host
    .run('sh', '-c', SCRIPT)
    .replace(/^#.*\n/gm, '')
    .replace(/ ?\[\d+:\d+\]/g, '')
    .replace(/counter packets \d+ bytes \d+/g, 'counter');
}

/** A file of /proc has size 0 whatever it holds. */
const SCRIPT = `nft list ruleset
  for t in ip ip6; do if { read -r _ </proc/net/\${t}_tables_names; } 2>&-; then \${t}tables-legacy-save; fi; done`;
