import { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, parseJson, textField } from '../model/json.ts';
import { documentOf } from './document.ts';
import { JsonFault, lineOf, type Places, placesOf } from './json-places.ts';
import { assertModest, LIMITS } from './limits.ts';
import { nearest } from './nearest.ts';
import { type ListedPlugin, type NetworkList, parseNetworkList } from './network-list.ts';
import { type PluginName, parsePlugin } from './plugin-config.ts';

/** One thing in a file that Isthmus or a runtime would refuse. */
export interface Finding {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  /** Path of the key: `.plugins[0].isGatway`; empty for text that is not JSON. */
  readonly key: string;
  /** The value and what is wrong with it. */
  readonly rule: string;
  /** What to do: the nearest known key, the values there are. */
  readonly hint?: string;
}

export interface Validated {
  readonly network?: string;
  readonly findings: readonly Finding[];
  /** Types of the plugins that were checked, and of those of other programs, which were not. */
  readonly checked: readonly string[];
  readonly unchecked: readonly string[];
}

/** Keys of a list; runtimes add their own, so that only a misspelt one is told. */
const LIST_KEYS = [
  ...['$schema', 'cniVersion', 'cniVersions', 'name', 'plugins', 'args'],
  ...['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'],
];
/** More than these of one plugin tell nothing more. */
const MOST = 20;

/** Returns the plugin of ours that a type means; undefined for those of other programs. */
export type NameOf = (type: string) => PluginName | undefined;

/**
 * Checks a configuration as the calls of its plugins would: a list, or one plugin. Never throws. `isOwn`: Reading.isOwn.
 */
export function validate(text: string, nameOf: NameOf, isOwn: (type: string) => boolean): Validated {
  const nothing = { checked: [], unchecked: [] };
  let places: Places;
  let list: NetworkList;
  const at = (offset: number) => lineOf(text, offset);
  try {
    places = placesOf(text);
  } catch (thrown) {
    if (!(thrown instanceof JsonFault)) throw thrown;
    if (text.trim() === '') return { ...nothing, findings: [{ ...at(0), key: '', rule: 'the file is empty' }] };
    return { ...nothing, findings: [{ ...at(thrown.offset), key: '', rule: `it is not JSON: ${thrown.message}` }] };
  }
  const place = (path: string) => at(placeOf(places, path));
  const found: Finding[] = places.repeated.map(([key, offset]) => ({
    ...{ ...at(offset), key, rule: 'the key is there twice, and only the last one counts' },
    hint: 'Remove one of them',
  }));
  const json: unknown = parseJson(text);
  found.push(...listKeys(json).map(({ key, ...rest }) => ({ ...place(key), key, ...rest })));
  try {
    list = parseNetworkList(text, 'the file');
  } catch (thrown) {
    // A misspelt key explains a missing one.
    return { ...nothing, findings: found.length > 0 ? found : findingOf(thrown, '', place) };
  }
  const known = list.plugins.filter(({ type }) => nameOf(type) !== undefined);
  for (const plugin of known) {
    const name = nameOf(plugin.type);
    if (name !== undefined) found.push(...pluginFindings(list, plugin, { name, isOwn, place }));
  }
  return {
    network: list.name,
    findings: found.sort((a, b) => a.line - b.line || a.column - b.column),
    checked: known.map(({ type }) => type),
    unchecked: list.plugins.filter((plugin) => !known.includes(plugin)).map(({ type }) => type),
  };
}

interface Checking {
  readonly name: PluginName;
  readonly isOwn: (type: string) => boolean;
  readonly place: (path: string) => { readonly line: number; readonly column: number };
}

/** Every finding of one plugin: the key of each is taken out, so that the next one shows. */
function pluginFindings(list: NetworkList, plugin: ListedPlugin, { name, isOwn, place }: Checking): Finding[] {
  const { version } = list;
  const found: Finding[] = [];
  let json: Json = plugin.json;
  const reading = { plugin: name, command: 'STATUS', args: '', ifName: '', version, isOwn } as const;
  while (found.length < MOST) {
    try {
      assertModest(json);
      parsePlugin(documentOf({ ...json, name: list.name, cniVersion: version }), reading);
      return found;
    } catch (thrown) {
      const [finding] = findingOf(thrown, plugin.path, place);
      if (finding === undefined || found.some(({ key }) => key === finding.key)) return found;
      found.push(finding);
      const rest = without(json, finding.key.slice(plugin.path.length));
      if (rest === undefined) return found;
      json = rest;
    }
  }
  return found;
}

/** Misspelt keys of a list, and those that a list needs and a single plugin has not. */
function listKeys(json: unknown): Pick<Finding, 'key' | 'rule' | 'hint'>[] {
  if (!isObject(json) || (field(json, 'plugins') === undefined && textField(json, 'type') !== undefined)) return [];
  return Object.keys(json).flatMap((key) => {
    if (LIST_KEYS.includes(key)) return [];
    const near = nearest(key, LIST_KEYS);
    if (near === undefined) return [];
    return [{ key: `.${key}`, rule: 'runtimes ignore this key of a list', hint: `Did you mean ${near}?` }];
  });
}

/** The key that an error is about: a path at the beginning of its subject. */
const PATH = /^(?:\.[A-Za-z_$][\w$-]*|\[\d+\]|\["(?:[^"\\]|\\.)*"\])+/;

function findingOf(thrown: unknown, path: string, place: Checking['place']): Finding[] {
  if (!(thrown instanceof NetError)) throw thrown;
  const { subject, what, hint } = thrown;
  const own = PATH.exec(subject)?.[0] ?? '';
  const value = own === '' ? '' : subject.slice(own.length).replace(/^=/, '');
  const key = own === '.name' || own === '.cniVersion' ? own : path + own;
  const rule = `${value === '' ? '' : `${value}: `}${own === '' ? `${subject}: ` : ''}${what}`.slice(0, LIMITS.text);
  return [{ ...place(key), key, rule, ...given({ hint: hint === '' ? undefined : hint }) }];
}

/** The offset of the key at this path, or of the nearest one around it. */
function placeOf({ places }: Places, path: string): number {
  for (let at = path; at !== ''; at = at.replace(/(?:\.[^.[\]]+|\[[^\]]*\])$/, '')) {
    const found = places.get(at);
    if (found !== undefined) return found.key;
    if (!/(?:\.[^.[\]]+|\[[^\]]*\])$/.test(at)) break;
  }
  return places.get('')?.value ?? 0;
}

/** The object without the key at this path; undefined where the path ends in a list, or nothing is there. */
function without(json: Json, path: string): Json | undefined {
  const [, first = '', rest = ''] = /^\.([A-Za-z_$][\w$-]*)(.*)$/s.exec(path) ?? [];
  if (!Object.hasOwn(json, first)) return undefined;
  const { [first]: value, ...others } = json;
  if (rest === '') return others;
  const inner = isObject(value) ? without(value, rest) : undefined;
  return inner === undefined ? undefined : { ...json, [first]: inner };
}
