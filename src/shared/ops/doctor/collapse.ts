import type { Finding } from './finding.ts';

/** More findings of one rule about containers of one network are shown as one. */
const MANY = 4;

/** The findings for people: what many containers of a network have in common is one of them. */
export function collapse(findings: readonly Finding[]): Finding[] {
  const groups = Map.groupBy(findings, ({ rule, level, containers = [], networks = [] }, i) =>
    containers.length === 0 ? String(i) : `${rule} ${level} ${networks.join()}`,
  );
  return [...groups.values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined || all.length <= MANY) return all;
    const cure = first.repair === undefined ? first.cure : 'isthmus doctor --fix';
    const subject = `${all.length} times in network ${first.networks?.join(', ') ?? ''}`;
    const more = `${all.length - 1} more; -o json lists them`;
    return [{ ...first, subject, what: `${first.subject}: ${first.what} (and ${more})`, cure }];
  });
}
