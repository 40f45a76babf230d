import type { Rate, TopologyReport } from '../report.ts';
import { detailsOf } from './details.ts';
import { Drawing } from './drawing.ts';
import { Listing } from './listing.ts';
import { count, matches, type Node, nodesOf, problemOf, type Rates, ratesOf } from './nodes.ts';

const byId = <T extends Element>(id: string): T => document.getElementById(id) as unknown as T;

const find = byId<HTMLInputElement>('find');
const problems = byId<HTMLButtonElement>('problems');
const view = byId<HTMLButtonElement>('view');
const details = byId<HTMLElement>('details');
const state = byId<HTMLElement>('state');
const svg = byId<SVGSVGElement>('drawing');
const list = byId<HTMLElement>('list');

let report: TopologyReport | undefined;
let rates: Rates = new Map();
let chosen = '';

const drawing = new Drawing(svg, choose);
const listing = new Listing(list, (key) => {
  const node = nodes().find((one) => one.key === key);
  if (node !== undefined) choose(node);
});

const nodes = (): Node[] => (report === undefined ? [] : nodesOf(report));

function choose(node: Node): void {
  chosen = node.key;
  details.replaceChildren(detailsOf(node, rates));
}

/** The nodes that the search and the switch for problems leave; undefined: all. */
function wanted(): ReadonlySet<string> | undefined {
  const text = find.value.trim();
  const onlyWrong = problems.getAttribute('aria-pressed') === 'true';
  if (text === '' && !onlyWrong) return undefined;
  const found = nodes().filter((node) => (!onlyWrong || problemOf(node) !== undefined) && matches(node, text));
  return new Set(found.map(({ key }) => key));
}

function refresh(): void {
  const shown = wanted();
  byId<HTMLOutputElement>('found').value = shown === undefined ? '' : `${shown.size} found`;
  drawing.filter(shown);
  listing.show(nodes(), rates, shown);
}

function showReport(text: string): void {
  report = JSON.parse(text) as TopologyReport;
  byId('host').textContent = report.host;
  const endpoints = report.networks.flatMap((network) => network.endpoints);
  const wrong = nodes().filter((node) => problemOf(node) !== undefined).length;
  const some = wrong === 0 ? 'no problems' : `${wrong} with problems`;
  byId('counts').textContent = [
    count(report.networks.length, 'network'),
    count(endpoints.length, 'container'),
    some,
  ].join(', ');
  drawing.show(report);
  refresh();
  const node = nodes().find(({ key }) => key === chosen);
  if (node !== undefined) choose(node);
  else details.replaceChildren();
}

function showRates(text: string): void {
  rates = ratesOf(JSON.parse(text) as Rate[]);
  drawing.setRates(rates);
  listing.setRates(rates);
  const node = nodes().find(({ key }) => key === chosen);
  const cell = details.querySelector('[data-rates]');
  if (node !== undefined && cell !== null)
    cell.replaceWith(detailsOf(node, rates).querySelector('[data-rates]') ?? cell);
}

function say(text: string, lost: boolean): void {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle('lost', lost);
}

const events = new EventSource(`events${location.search}`);
events.addEventListener('open', () => say('live', false));
events.addEventListener('error', () => say('connection lost, trying again', true));
events.addEventListener('topology', ({ data }) => {
  say('live', false);
  showReport(data);
});
events.addEventListener('rates', ({ data }) => showRates(data));
events.addEventListener('trouble', ({ data }) => say((JSON.parse(data) as { message: string }).message, true));

find.addEventListener('input', refresh);
find.addEventListener('keydown', (event) => {
  const first = nodes().find(({ key }) => wanted()?.has(key) === true);
  if (event.key !== 'Enter' || first === undefined) return;
  if (!list.hidden) return choose(first);
  drawing.zoomTo(first.key);
  drawing.choose(first.key);
});
const toggle = (button: HTMLButtonElement): boolean => {
  const pressed = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(pressed));
  return pressed;
};
problems.addEventListener('click', () => {
  toggle(problems);
  refresh();
});
view.addEventListener('click', () => {
  list.hidden = !toggle(view);
  svg.toggleAttribute('hidden', !list.hidden);
  byId('keys').toggleAttribute('hidden', !list.hidden);
  if (list.hidden && report !== undefined) drawing.show(report);
  refresh();
});
byId('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const isDark =
    root.dataset.theme === undefined
      ? matchMedia('(prefers-color-scheme: dark)').matches
      : root.dataset.theme === 'dark';
  root.dataset.theme = isDark ? 'light' : 'dark';
});
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  find.focus();
});
addEventListener('resize', () => {
  if (report !== undefined && list.hidden) drawing.show(report);
});
