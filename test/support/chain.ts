import type { CniAnswer, PluginRun } from './cni.ts';
import type { CniHost, HostCall } from './cni-host.ts';

/** One element of a list, with the directory that its plugin is taken from. */
export interface Element {
  readonly dir: string;
  readonly conf: { readonly type: string } & Readonly<Record<string, unknown>>;
}

/** Which attachment, and what a runtime may leave out or change. */
export type Part = Omit<HostCall, 'command' | 'dir' | 'name' | 'config'>;

/** A network configuration list on a host, called as libcni calls it. */
export interface Chain {
  /** The configuration of an element as its plugin gets it. */
  config(index: number, prevResult?: CniAnswer): Readonly<Record<string, unknown>>;
  /** One call of one element. */
  run(index: number, command: HostCall['command'], part: Part, prevResult?: CniAnswer): PluginRun;
  /** ADD of all elements in order, each with the result of the one before; returns the last one's. Throws on failure. */
  add(part: Part): CniAnswer;
  /** CHECK of all elements in order; throws on failure. */
  check(part: Part, result: CniAnswer): void;
  /** DEL of all elements in the opposite order; throws on failure. */
  del(part: Part, result?: CniAnswer): void;
}

export function makeChain(host: CniHost, elements: readonly Element[], list: Readonly<Record<string, unknown>>): Chain {
  const element = (index: number): Element => {
    const found = elements[index];
    if (found === undefined) throw new Error(`the list has ${elements.length} elements`);
    return found;
  };
  const config: Chain['config'] = (index, prevResult) => ({
    ...list,
    ...element(index).conf,
    ...(prevResult === undefined ? {} : { prevResult }),
  });
  const run: Chain['run'] = (index, command, part, prevResult) => {
    const { dir, conf } = element(index);
    return host.run({ ...part, command, dir, name: conf.type, config: config(index, prevResult) });
  };
  const ok = (...call: Parameters<Chain['run']>): CniAnswer => {
    const { code, signal, stdout, stderr, json } = run(...call);
    if (code === 0) return json ?? {};
    throw new Error(`${call[1]} ${element(call[0]).conf.type}: exit ${code ?? signal}: ${stdout}${stderr}`);
  };
  return {
    config,
    run,
    add: (part) =>
      elements.reduce<CniAnswer | undefined>((previous, _, i) => ok(i, 'ADD', part, previous), undefined) ?? {},
    check: (part, result) => {
      for (const i of elements.keys()) ok(i, 'CHECK', part, result);
    },
    del: (part, result) => {
      for (const i of [...elements.keys()].reverse()) ok(i, 'DEL', part, result);
    },
  };
}
