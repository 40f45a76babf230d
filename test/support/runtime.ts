import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniAnswer, CniCommand } from './cni.ts';
import type { TestHost } from './test-host.ts';

type Json = Readonly<Record<string, unknown>>;

/** A network configuration list, as a runtime reads it (SPEC.md §1). */
export interface NetworkList {
  readonly name: string;
  /** The newest version that the list and this runtime have in common. */
  readonly cniVersion: string;
  /** The list's own wish: the runtime is not to CHECK. */
  readonly disableCheck: boolean;
  readonly plugins: readonly (Json & { readonly type: string })[];
}

/** The facts about a container that a runtime must know. */
export interface Container {
  readonly id: string;
  readonly netns: string;
  readonly ifName?: string;
  /** The runtime's data for plugins; each gets what its `capabilities` name. */
  readonly offers?: Json;
}

/** Calls plugins as libcni does: one list, in order for ADD and CHECK, from the end for DEL. */
export interface Runtime {
  readonly list: NetworkList;
  /** The result of the last plugin, which is kept for CHECK and DEL. */
  add(container: Container): CniAnswer;
  check(container: Container): void;
  del(container: Container): void;
  /** Does nothing for a list older than 1.1.0, which has no STATUS. */
  status(): void;
  /** Deletes everything of the network except these containers; does nothing for a list older than 1.1.0. */
  collectGarbage(alive: readonly Container[]): void;
}

/** Directory of the examples. */
export const EXAMPLES = join(import.meta.dirname, '../../netconf-examples');

/** The versions that libcni 1.3 knows. */
const KNOWN = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

/** Throws for what libcni would not load. */
export function readList(file: string): NetworkList {
  const {
    name,
    cniVersion,
    cniVersions = [],
    disableCheck = false,
    plugins,
    ...rest
  } = JSON.parse(readFileSync(file, 'utf8'));
  assert.match(name, /^[A-Za-z0-9][A-Za-z0-9_.-]*$/);
  assert.deepEqual(Object.keys(rest), [], 'keys of the list that libcni does not know');
  assert.ok(Array.isArray(plugins) && plugins.length > 0 && plugins.every(({ type }) => typeof type === 'string'));
  const versions: unknown[] = [cniVersion, ...cniVersions];
  for (const version of versions) assert.ok(KNOWN.includes(String(version)), `version ${version}`);
  const newest = KNOWN.findLast((version) => versions.includes(version)) ?? '';
  return { name, cniVersion: newest, disableCheck, plugins };
}

/** A runtime on `host` with plugins in the directories of `path` (CNI_PATH). */
export function makeRuntime(host: TestHost, list: NetworkList, path: readonly string[]): Runtime {
  const results = new Map<string, CniAnswer>();
  /** Of the plugins that have been called: a look takes two processes. */
  const directories = new Map<string, string>();
  const keyOf = ({ id, ifName }: Container): string => `${id} ${ifName ?? ''}`;
  const rich = list.cniVersion === '1.1.0';

  const execute = (type: string, command: CniCommand, config: object, container?: Container): CniAnswer => {
    const isThere = (dir: string): boolean => host.attempt(['test', '-x', `${dir}/${type}`]).code === 0;
    const directory = directories.get(type) ?? path.find(isThere);
    assert.ok(directory, `no plugin ${type} in ${path.join(':')}`);
    directories.set(type, directory);
    const env: Record<string, string> = { CNI_COMMAND: command, CNI_PATH: path.join(':') };
    if (container !== undefined) {
      env.CNI_CONTAINERID = container.id;
      env.CNI_NETNS = container.netns;
      env.CNI_IFNAME = container.ifName ?? 'eth0';
      env.CNI_ARGS = 'IgnoreUnknown=1;K8S_POD_NAME=example';
    }
    const { code, stdout, stderr } = host.attempt([`${directory}/${type}`], { input: JSON.stringify(config), env });
    assert.equal(stderr, '', `${command} of ${type}`);
    assert.equal(code, 0, `${command} of ${type}: ${stdout}`);
    return stdout.trim() === '' ? {} : JSON.parse(stdout);
  };

  const request = (plugin: Json, prevResult?: CniAnswer, offers: Json = {}): object => {
    const wanted = Object.entries(offers).filter(([key]) => isTrue(plugin.capabilities, key));
    return {
      ...plugin,
      name: list.name,
      cniVersion: list.cniVersion,
      ...(wanted.length > 0 ? { runtimeConfig: Object.fromEntries(wanted) } : {}),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
  };

  return {
    list,
    add(container) {
      let result: CniAnswer | undefined;
      for (const plugin of list.plugins) {
        result = execute(plugin.type, 'ADD', request(plugin, result, container.offers), container);
      }
      assert.ok(result);
      results.set(keyOf(container), result);
      return result;
    },
    check(container) {
      if (list.disableCheck) return;
      for (const plugin of list.plugins) {
        execute(plugin.type, 'CHECK', request(plugin, results.get(keyOf(container)), container.offers), container);
      }
    },
    del(container) {
      for (const plugin of list.plugins.toReversed()) {
        execute(plugin.type, 'DEL', request(plugin, results.get(keyOf(container)), container.offers), container);
      }
      results.delete(keyOf(container));
    },
    status() {
      if (rich) for (const plugin of list.plugins) execute(plugin.type, 'STATUS', request(plugin));
    },
    collectGarbage(alive) {
      if (!rich) return;
      const attachments = alive.map(({ id, ifName }) => ({ containerID: id, ifname: ifName ?? 'eth0' }));
      const keys = { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments };
      for (const plugin of list.plugins) execute(plugin.type, 'GC', { ...request(plugin), ...keys });
    },
  };
}

function isTrue(capabilities: unknown, key: string): boolean {
  return new Map(Object.entries(capabilities ?? {})).get(key) === true;
}
