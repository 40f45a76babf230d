import type { Json } from '../model/json.ts';
import { isObject } from '../model/json.ts';
import { type DriverName, foreignKeys, KEYS_OF } from './driver-keys.ts';
import cluster from './schemas/cluster.schema.json' with { type: 'json' };
import ipRanges from './schemas/ip-ranges.schema.json' with { type: 'json' };
import ipamDhcp from './schemas/ipam-dhcp.schema.json' with { type: 'json' };
import ipamHostLocal from './schemas/ipam-host-local.schema.json' with { type: 'json' };
import ipamRoutes from './schemas/ipam-routes.schema.json' with { type: 'json' };
import ipamStatic from './schemas/ipam-static.schema.json' with { type: 'json' };
import netconf from './schemas/netconf.schema.json' with { type: 'json' };
import words from './schemas/words.json' with { type: 'json' };

/** What a key means, as docs/configuration.md says it, in Markdown. */
export interface Words {
  readonly default: string;
  readonly text: string;
}

/** Words of keys by table: `netconf`, `ipam`, or a driver that has other words for a key. */
export const WORDS: Readonly<Record<string, Readonly<Record<string, Words>>>> = words;

export const SCHEMA_NAMES = ['conflist', 'netconf', 'cluster'] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

const DIALECT = 'http://json-schema.org/draft-07/schema#';

/** Returns a JSON Schema as one document that refers to nothing outside of it, for an editor's `$schema`. */
export function publishedSchema(name: SchemaName): Json {
  switch (name) {
    case 'cluster':
      return cluster;
    case 'netconf':
      return { $schema: DIALECT, ...pluginSchema(true), definitions: definitions() };
    case 'conflist':
      return listSchema();
  }
}

/** Schemas that others refer to, by name. */
const definitions = (): Json => ({
  'ip-ranges': inner(ipRanges),
  'ipam-routes': inner(ipamRoutes),
  'ipam-host-local': inner(documented(ipamHostLocal, 'ipam')),
  'ipam-static': inner(documented(ipamStatic, 'ipam')),
  'ipam-dhcp': inner(documented(ipamDhcp, 'dhcp')),
});

function listSchema(): Json {
  return {
    $schema: DIALECT,
    title: 'Network configuration list of CNI, with plugins of Isthmus',
    type: 'object',
    required: ['name', 'plugins'],
    properties: {
      $schema: { type: 'string' },
      cniVersion: netconf.properties.cniVersion,
      cniVersions: netconf.properties.cniVersions,
      name: netconf.properties.name,
      disableCheck: netconf.properties.disableCheck,
      disableGC: netconf.properties.disableGC,
      loadOnlyInlinedPlugins: netconf.properties.loadOnlyInlinedPlugins,
      plugins: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['type'],
          properties: { type: { type: 'string', markdownDescription: WORDS.netconf?.type?.text ?? '' } },
          if: { properties: { type: { const: 'isthmus' } } },
          // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
          then: { $ref: '#/definitions/isthmus' },
        },
      },
    },
    definitions: { isthmus: pluginSchema(false), ...definitions() },
  };
}

/** One plugin of type isthmus; `alone`: it is the whole file, and has a name. */
function pluginSchema(alone: boolean): Json {
  const { $schema: _, required: _name, ...rest } = documented(netconf, 'netconf');
  return {
    ...rest,
    required: alone ? ['name', 'type'] : ['type'],
    allOf: [...Object.keys(KEYS_OF).map((driver) => ofDriver(driver as DriverName)), ...ipamRules()],
  };
}

/** With this driver, the keys of others are errors. */
function ofDriver(driver: DriverName): Json {
  const named = { properties: { driver: { const: driver } } };
  return {
    if: driver === 'bridge' ? named : { ...named, required: ['driver'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: { propertyNames: { not: { enum: foreignKeys(driver) } } },
  };
}

/** The keys of `ipam` follow from its type; those of another program's are not known. */
const ipamRules = (): readonly Json[] => [
  ipamOf(['', 'isthmus', 'host-local'], 'ipam-host-local', []),
  ipamOf(['static'], 'ipam-static', ['type']),
  ipamOf(['dhcp'], 'ipam-dhcp', ['type']),
];

function ipamOf(types: readonly string[], definition: string, required: readonly string[]): Json {
  const ipam = { type: 'object', properties: { type: { enum: types } }, required };
  return {
    if: { properties: { ipam }, required: ['ipam'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: { properties: { ipam: { $ref: `#/definitions/${definition}` } } },
  };
}

/** The schema with the words of its keys, which editors show. */
function documented<T extends { readonly properties: object }>(schema: T, table: string): T {
  const own = WORDS[table] ?? {};
  const properties = Object.entries(schema.properties).map(([key, value]) => {
    const found = own[key];
    const others = Object.keys(KEYS_OF).flatMap((driver) => {
      const one = WORDS[driver]?.[key];
      return table !== 'netconf' || one === undefined ? [] : [`\`${driver}\`: ${sentence(one)}`];
    });
    const text = [...(found === undefined ? [] : [sentence(found)]), ...others].join('\n\n');
    return [key, text === '' ? value : { ...(isObject(value) ? value : {}), markdownDescription: text }];
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

function sentence({ default: usual, text }: Words): string {
  const plain = text.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1');
  return usual === '–' || usual === '' ? plain : `${plain} Default: ${usual}.`;
}

/** A schema as a part of a document: references are to other parts. */
function inner(schema: object): unknown {
  const part = Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id'));
  return JSON.parse(JSON.stringify(part), (key, value) =>
    key === '$ref' && typeof value === 'string' ? `#/definitions/${value}` : value,
  );
}
