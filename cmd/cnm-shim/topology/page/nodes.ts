import type { Rate, ReportedEndpoint, ReportedNetwork, TopologyReport } from '../report.ts';

/** What the drawing has a circle for. */
export type Node =
  | { readonly kind: 'network'; readonly key: string; readonly network: ReportedNetwork }
  | {
      readonly kind: 'endpoint';
      readonly key: string;
      readonly network: ReportedNetwork;
      readonly endpoint: ReportedEndpoint;
    };

export type Rates = ReadonlyMap<string, { readonly received: number; readonly sent: number }>;

export function nodesOf({ networks }: TopologyReport): Node[] {
  return networks.flatMap((network): Node[] => [
    { kind: 'network', key: `network ${network.name}`, network },
    ...network.endpoints.map((endpoint): Node => ({ kind: 'endpoint', key: endpoint.key, network, endpoint })),
  ]);
}

export function ratesOf(rates: readonly Rate[]): Rates {
  return new Map(rates.map(([key, received, sent]) => [key, { received, sent }]));
}

export const problemOf = (node: Node): string | undefined =>
  node.kind === 'network' ? node.network.problem : node.endpoint.problem;

export const titleOf = (node: Node): string => (node.kind === 'network' ? node.network.name : node.endpoint.title);

/** True if a name, an address, a port or a MAC contains the text. A network matches by its own words only. */
export function matches(node: Node, text: string): boolean {
  const { name, device = '', driver, subnets } = node.network;
  const words =
    node.kind === 'network'
      ? [name, device, driver, ...subnets]
      : [node.endpoint.title, node.key, node.endpoint.hostInterface ?? '', node.endpoint.mac ?? '']
          .concat(node.endpoint.addresses)
          .concat(node.endpoint.ports);
  return words.some((word) => word.toLowerCase().includes(text.toLowerCase()));
}

/** What a screen reader says of it. */
export function describe(node: Node): string {
  const { network } = node;
  const problem = problemOf(node);
  const wrong = problem === undefined ? [] : [`problem: ${problem}`];
  if (node.kind === 'network') {
    const containers = count(network.endpoints.length, 'container');
    return [`network ${network.name}`, network.driver, ...network.subnets, containers, ...wrong].join(', ');
  }
  const { title, camp, addresses, ports } = node.endpoint;
  return [title, campName(camp), `on ${network.name}`, ...addresses, ...ports, ...wrong].join(', ');
}

export const campName = (camp: ReportedEndpoint['camp']): string => (camp === 'docker' ? 'Docker' : 'CNI');

const STEPS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'] as const;

export function formatRate(bits: number): string {
  const step = Math.min(STEPS.length - 1, bits < 1000 ? 0 : Math.floor(Math.log10(bits) / 3));
  return `${Number((bits / 1000 ** step).toPrecision(3))} ${STEPS[step]}`;
}

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
