import { campName, formatRate, type Node, problemOf, type Rates, titleOf } from './nodes.ts';

/** Everything known of a node, for the panel beside the drawing. */
export function detailsOf(node: Node, rates: Rates): DocumentFragment {
  const part = document.createDocumentFragment();
  const title = document.createElement('h2');
  title.textContent = titleOf(node);
  part.append(title);
  const problem = problemOf(node);
  if (problem !== undefined) {
    const line = document.createElement('p');
    line.className = 'trouble';
    line.textContent = `! ${problem}`;
    part.append(line);
  }
  const rows = document.createElement('dl');
  for (const [word, text] of rowsOf(node)) if (text !== '') rows.append(...row(word, text));
  const [word, value] = row('Traffic', traffic(node, rates));
  value.dataset.rates = '';
  rows.append(word, value);
  part.append(rows);
  return part;
}

function rowsOf(node: Node): (readonly [string, string])[] {
  const { network } = node;
  if (node.kind === 'network') {
    const { driver, device = '', overlay = '', subnets, endpoints } = network;
    return [
      ['Driver', driver],
      ['Device', device],
      ['Overlay', overlay],
      ['Subnets', subnets.join('\n')],
      ['Containers', String(endpoints.length)],
    ];
  }
  const { camp, interface: inside = '', hostInterface = '', mac = '', addresses, ports } = node.endpoint;
  return [
    ['Network', network.name],
    ['Camp', campName(camp)],
    ['Addresses', addresses.join('\n')],
    ['Published ports', ports.join('\n')],
    ['Interface', inside],
    ['On the host', hostInterface],
    ['MAC', mac],
  ];
}

function row(word: string, text: string): readonly [HTMLElement, HTMLElement] {
  const [term, value] = [document.createElement('dt'), document.createElement('dd')];
  term.textContent = word;
  value.textContent = text;
  value.style.whiteSpace = 'pre-line';
  return [term, value];
}

/** Of a network: that of all its containers together. */
function traffic(node: Node, rates: Rates): string {
  const keys = node.kind === 'endpoint' ? [node.key] : node.network.endpoints.map(({ key }) => key);
  const sum = (of: 'received' | 'sent'): number => keys.reduce((total, key) => total + (rates.get(key)?.[of] ?? 0), 0);
  return `receives ${formatRate(sum('received'))}\nsends ${formatRate(sum('sent'))}`;
}
