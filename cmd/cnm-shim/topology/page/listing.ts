import { campName, formatRate, type Node, type Rates } from './nodes.ts';

/** The same as a table, one row a container. */
export class Listing {
  readonly #place: HTMLElement;
  readonly #body: HTMLTableSectionElement;
  readonly #onChoose: (key: string) => void;
  #rates = new Map<string, readonly [HTMLElement, HTMLElement]>();

  constructor(place: HTMLElement, onChoose: (key: string) => void) {
    this.#place = place;
    this.#body = place.querySelector('tbody') as HTMLTableSectionElement;
    this.#onChoose = onChoose;
  }

  show(nodes: readonly Node[], rates: Rates, shown: ReadonlySet<string> | undefined): void {
    if (this.#place.hidden) return;
    this.#rates = new Map();
    const rows = nodes.flatMap((node) => {
      if (node.kind === 'network' || (shown !== undefined && !shown.has(node.key))) return [];
      return [this.#row(node)];
    });
    this.#body.replaceChildren(...rows);
    this.setRates(rates);
  }

  setRates(rates: Rates): void {
    for (const [key, [received, sent]] of this.#rates) {
      const rate = rates.get(key);
      received.textContent = rate === undefined ? '' : formatRate(rate.received);
      sent.textContent = rate === undefined ? '' : formatRate(rate.sent);
    }
  }

  #row({ key, network, endpoint }: Extract<Node, { kind: 'endpoint' }>): HTMLTableRowElement {
    const { title, camp, addresses, ports, interface: inside = '', problem } = endpoint;
    const row = document.createElement('tr');
    row.classList.toggle('wrong', problem !== undefined);
    const cell = (text: string): HTMLTableCellElement => {
      const made = document.createElement('td');
      made.textContent = text;
      return made;
    };
    const name = document.createElement('th');
    name.scope = 'row';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = title;
    button.addEventListener('click', () => this.#onChoose(key));
    name.append(button);
    const [received, sent] = [cell(''), cell('')];
    for (const number of [received, sent]) number.className = 'number';
    this.#rates.set(key, [received, sent]);
    const words = [campName(camp), addresses.join(' '), ports.join(' '), inside].map(cell);
    row.append(
      cell(network.name),
      name,
      ...words,
      received,
      sent,
      cell(problem === undefined ? 'good' : `! ${problem}`),
    );
    return row;
  }
}
