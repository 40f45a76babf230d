import { hierarchy, treemap, treemapSquarify } from 'd3-hierarchy';
import type { TopologyReport } from '../report.ts';
import { type Node, nodesOf } from './nodes.ts';

/** Where a node is drawn: a network as a box, a container as a circle of radius `width / 2` inside of it. */
export interface Placed {
  readonly node: Node;
  /** Of the centre. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels of a box above its containers, for its name. */
export const HEADING = 22;
const GAP = 6;
const LARGEST = 120;
/** What a network counts in the division of the room, besides its containers: it needs a heading. */
const LEAST = 4;

/** Divides the room among the networks by their number of containers. Networks come before their containers. */
export function layOut(report: TopologyReport, width: number, height: number): Placed[] {
  const nodes = nodesOf(report);
  const tree = hierarchy<Node | undefined>(undefined, (node) =>
    node === undefined ? nodes.filter(({ kind }) => kind === 'network') : undefined,
  ).sum((node) => (node === undefined ? 0 : Math.max(LEAST, node.network.endpoints.length)));
  const boxes = treemap<Node | undefined>()
    .tile(treemapSquarify)
    .size([Math.max(1, width), Math.max(1, height)])
    .padding(GAP)(tree);
  return (boxes.children ?? []).flatMap(({ data, x0, x1, y0, y1 }): Placed[] => {
    if (data === undefined) return [];
    const [w, h] = [Math.max(1, x1 - x0), Math.max(1, y1 - y0)];
    const own = nodes.filter((node) => node.kind === 'endpoint' && node.network === data.network);
    const room = { x: x0 + GAP / 2, y: y0 + HEADING, width: w - GAP, height: h - HEADING - GAP / 2 };
    return [{ node: data, x: x0 + w / 2, y: y0 + h / 2, width: w, height: h }, ...inRows(own, room)];
  });
}

interface Room {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** In rows of equal length, as large as they fit. */
function inRows(nodes: readonly Node[], { x, y, width, height }: Room): Placed[] {
  const columns = bestColumns(nodes.length, width, height);
  const rows = Math.ceil(nodes.length / columns);
  const side = Math.max(1, Math.min(width / columns, height / rows));
  const size = Math.min(LARGEST, Math.max(1, side - Math.min(4, side / 5)));
  return nodes.map((node, i) => ({
    node,
    x: x + ((i % columns) + 0.5) * (width / columns),
    y: y + (Math.floor(i / columns) + 0.5) * (height / rows),
    width: size,
    height: size,
  }));
}

/** The number of columns that leaves each node the largest square. */
function bestColumns(count: number, width: number, height: number): number {
  let [best, largest] = [1, 0];
  for (let columns = 1; columns <= count; columns++) {
    const side = Math.min(width / columns, height / Math.ceil(count / columns));
    if (side > largest) [best, largest] = [columns, side];
  }
  return best;
}
