import { type Selection, select } from 'd3-selection';
import { type ZoomBehavior, zoom, zoomIdentity } from 'd3-zoom';
import type { TopologyReport } from '../report.ts';
import { HEADING, layOut, type Placed } from './layout.ts';
import { describe, type Node, problemOf, type Rates, titleOf } from './nodes.ts';

/** Smallest width on the screen, in pixels, of a mark that has a label. */
const LABELLED = 32;
const LETTER = 7;
const CLOSEST = 60;

type Layer = Selection<SVGGElement, unknown, null, undefined>;

/** Networks as boxes, their containers as marks inside, all reachable by the keyboard. */
export class Drawing {
  readonly #svg: Selection<SVGSVGElement, unknown, null, undefined>;
  readonly #layer: Layer;
  readonly #zoom: ZoomBehavior<SVGSVGElement, unknown>;
  readonly #onChoose: (node: Node) => void;
  #placed: readonly Placed[] = [];
  /** The mark that Tab enters. */
  #current = '';
  #shown: ReadonlySet<string> | undefined;
  #rates: Rates = new Map();
  #scale = 1;

  constructor(svg: SVGSVGElement, onChoose: (node: Node) => void) {
    this.#svg = select(svg);
    this.#layer = this.#svg.append('g');
    this.#onChoose = onChoose;
    this.#zoom = zoom<SVGSVGElement, unknown>()
      .scaleExtent([1, CLOSEST])
      .on('zoom', ({ transform }) => {
        this.#layer.attr('transform', transform.toString());
        if (transform.k === this.#scale) return;
        this.#scale = transform.k;
        this.#label();
      });
    this.#svg.call(this.#zoom).on('dblclick.zoom', null);
    svg.addEventListener('keydown', (event) => this.#onKey(event));
  }

  show(report: TopologyReport): void {
    const { clientWidth: width, clientHeight: height } = this.#svg.node() as SVGSVGElement;
    this.#zoom.extent([
      [0, 0],
      [width, height],
    ]);
    this.#placed = layOut(report, width, height);
    if (!this.#placed.some(({ node }) => node.key === this.#current)) this.#current = this.#placed[0]?.node.key ?? '';
    const groups = this.#layer
      .selectAll<SVGGElement, Placed>('g.node')
      .data(this.#placed, ({ node }) => node.key)
      .join((entering) => {
        const group = entering.append('g').attr('role', 'button');
        group.append('rect');
        group.append('text');
        group
          .on('click', (_event, { node }) => this.choose(node.key))
          .on('focus', (_event, { node }) => {
            this.#current = node.key;
            this.#rove();
          });
        return group;
      })
      .attr('class', ({ node }) => `node ${node.kind}`)
      .attr('data-key', ({ node }) => node.key)
      .attr('aria-label', ({ node }) => describe(node))
      .attr('transform', ({ x, y }) => `translate(${x},${y})`);
    groups.order();
    groups
      .select('rect')
      .attr('x', ({ width: w }) => -w / 2)
      .attr('y', ({ height: h }) => -h / 2)
      .attr('width', ({ width: w }) => w)
      .attr('height', ({ height: h }) => h)
      .attr('rx', ({ node, width: w }) => (node.kind === 'network' ? 6 : w / 2));
    this.#mark();
    this.#label();
    this.#rove();
  }

  setRates(rates: Rates): void {
    this.#rates = rates;
    this.#mark();
  }

  /** Fades all others; undefined: none. */
  filter(keys: ReadonlySet<string> | undefined): void {
    this.#shown = keys;
    this.#mark();
  }

  /** Moves the focus to it, and brings it into view. */
  choose(key: string): void {
    const mark = this.#placed.find(({ node }) => node.key === key);
    if (mark === undefined) return;
    this.#current = key;
    this.#rove();
    this.#element(key)?.focus({ preventScroll: true });
    this.#onChoose(mark.node);
  }

  zoomTo(key: string): void {
    const mark = this.#placed.find(({ node }) => node.key === key);
    if (mark === undefined) return;
    const { clientWidth, clientHeight } = this.#svg.node() as SVGSVGElement;
    const part = mark.node.kind === 'network' ? 1.1 : 4;
    const fit = Math.min(clientWidth / mark.width, clientHeight / mark.height) / part;
    const k = Math.min(CLOSEST, Math.max(1, fit));
    const to = zoomIdentity
      .translate(clientWidth / 2, clientHeight / 2)
      .scale(k)
      .translate(-mark.x, -mark.y);
    this.#svg.call(this.#zoom.transform, to);
  }

  zoomOut(): void {
    this.#svg.call(this.#zoom.transform, zoomIdentity);
  }

  #element(key: string): SVGGElement | undefined {
    return (
      this.#layer
        .selectAll<SVGGElement, Placed>('g.node')
        .filter(({ node }) => node.key === key)
        .node() ?? undefined
    );
  }

  #groups(): Selection<SVGGElement, Placed, SVGGElement, unknown> {
    return this.#layer.selectAll<SVGGElement, Placed>('g.node');
  }

  #mark(): void {
    const groups = this.#groups();
    groups.classed('wrong', ({ node }) => problemOf(node) !== undefined);
    groups.classed('apart', ({ node }) => this.#shown !== undefined && !this.#shown.has(node.key));
    groups.select<SVGRectElement>('rect').attr('class', ({ node }) => {
      const wrong = problemOf(node) === undefined ? '' : ' wrong';
      if (node.kind === 'network') return `network${wrong}`;
      return `${node.endpoint.camp}${wrong}${this.#rates.has(node.key) ? ' busy' : ''}`;
    });
  }

  /** Labels what is large enough on the screen, in letters of one size at every zoom. */
  #label(): void {
    const k = this.#scale;
    this.#groups()
      .select<SVGTextElement>('text')
      .text(({ node, width }) => {
        const wrong = problemOf(node) !== undefined;
        if (width * k < LABELLED) return wrong && width * k > 8 ? '!' : '';
        const room = Math.floor((width * k - 8) / LETTER);
        const text = wrong ? `! ${labelOf(node)}` : labelOf(node);
        return text.length <= room ? text : room < 3 ? '' : `${text.slice(0, room - 1)}…`;
      })
      .attr('font-size', 12 / k)
      // A heading keeps its place in the box at every zoom.
      .attr('y', ({ node, height }) => (node.kind === 'network' ? -height / 2 + HEADING * 0.7 : 4 / k));
  }

  /** One mark is in the order of Tab; arrow keys move from there. */
  #rove(): void {
    this.#groups().attr('tabindex', ({ node }) => (node.key === this.#current ? 0 : -1));
  }

  #onKey(event: KeyboardEvent): void {
    const way = WAYS[event.key];
    if (way !== undefined) this.#move(way);
    else if (event.key === 'Home' || event.key === 'End') this.#climb(event.key === 'Home' ? 'network' : 'endpoint');
    else if (event.key === 'Enter' || event.key === ' ') {
      this.choose(this.#current);
      this.zoomTo(this.#current);
    } else if (event.key === 'Escape') this.zoomOut();
    else return;
    event.preventDefault();
  }

  /** From a container to its network, or from a network to its first container. */
  #climb(kind: Node['kind']): void {
    const from = this.#placed.find(({ node }) => node.key === this.#current);
    const to = this.#placed.find(({ node }) => node.kind === kind && node.network === from?.node.network);
    if (to !== undefined) this.choose(to.node.key);
  }

  /** To the nearest mark of the same kind that lies in this direction. */
  #move([dx, dy]: readonly [number, number]): void {
    const from = this.#placed.find(({ node }) => node.key === this.#current);
    if (from === undefined) return;
    const [, next] = this.#placed
      .filter(({ node }) => node.kind === from.node.kind && node.key !== this.#current)
      .filter(({ node }) => this.#shown === undefined || this.#shown.has(node.key))
      .map((mark): readonly [number, Placed] => {
        const [x, y] = [mark.x - from.x, mark.y - from.y];
        const along = x * dx + y * dy;
        const aside = Math.abs(x * dy) + Math.abs(y * dx);
        return [along <= 0 ? Number.POSITIVE_INFINITY : along + 2 * aside, mark];
      })
      .reduce<readonly [number, Placed | undefined]>(
        (best, one) => (one[0] < best[0] ? one : best),
        [Number.POSITIVE_INFINITY, undefined],
      );
    if (next !== undefined) this.choose(next.node.key);
  }
}

const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const labelOf = (node: Node): string =>
  node.kind === 'network' ? [node.network.name, node.network.device ?? node.network.driver].join(' · ') : titleOf(node);
