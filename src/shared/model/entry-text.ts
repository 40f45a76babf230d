import type { FirewallEntry } from './firewall.ts';

/** An entry in messages: `gateways device=isth0 addresses=10.77.0.1`. */
export function entryText({ kind, ...facts }: FirewallEntry): string {
  const words = Object.entries(facts).flatMap(([key, value]) => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return `${key}=${typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : value}`;
  });
  return [kind, ...words].join(' ');
}
