import type { NetError } from '../errors/net-error.ts';
import { isObject, type Json } from '../model/json.ts';
import { invalid } from './invalid.ts';
import { nearest } from './nearest.ts';

/** One violation as ajv reports it; `data` and `parentSchema` come with its option `verbose`. */
export interface Violation {
  readonly keyword: string;
  /** JSON pointer: `/ranges/0/0/subnet`. */
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
  readonly data?: unknown;
  readonly parentSchema?: Readonly<Record<string, unknown>> | undefined;
}

/** A generated validator: `errors` holds every violation once it has returned false. */
export interface Validate {
  (data: unknown): boolean;
  errors?: readonly Violation[] | null;
}

/**
 * Asserts that `value` has the shape that the validator's schema demands. `path` is its place in the whole
 * configuration: empty, or `.ipam`. With `strict` false, unknown keys pass. Throws NetError `invalid-config` for the
 * most informative violation: JSON path, value, rule, and for an unknown key the nearest known one.
 */
export function assertShape(validate: Validate, value: unknown, path: string, strict: boolean): void {
  if (validate(value)) return;
  const [worst] = (validate.errors ?? [])
    .filter(({ keyword }) => strict || keyword !== 'additionalProperties')
    .sort((a, b) => rank(a) - rank(b));
  if (worst !== undefined) throw describe(worst, path);
}

/**
 * Unknown keys first: a misspelt key explains a missing one. Combining keywords last: their parts are more specific.
 */
function rank({ keyword }: Violation): number {
  if (keyword === 'additionalProperties') return 0;
  return ['anyOf', 'oneOf', 'allOf', 'if', 'not'].includes(keyword) ? 2 : 1;
}

function describe(violation: Violation, root: string): NetError {
  const { keyword, params, data, parentSchema } = violation;
  const path = root + jsonPath(violation.instancePath);
  switch (keyword) {
    case 'additionalProperties':
      return unknownKey(path, String(params.additionalProperty), data, parentSchema);
    case 'required':
      return invalid(`${path}${member(String(params.missingProperty))}`, undefined, 'it is missing', 'Add it');
    case 'type':
      if (data === undefined) return invalid(path, undefined, 'it is missing', 'Add it');
      return invalid(path || '.', data, `it is not ${typeName(params.type)}`, 'Write it so');
    case 'enum':
      return invalid(path, data, 'it is not known here', `Choose among ${list(params.allowedValues)}`);
    case 'pattern':
    case 'not':
      return invalid(path, data, `it is not ${wordsOf(violation)}`, 'Write it so');
    default:
      return invalid(path || '.', data, `it ${rule(violation)}`, 'Write it so');
  }
}

/** The expectation of a schema with a pattern: its `description`. */
function wordsOf({ params, parentSchema }: Violation): string {
  const { description } = parentSchema ?? {};
  return typeof description === 'string' ? description : `of the form ${String(params.pattern)}`;
}

function rule({ keyword, message }: Violation): string {
  return message?.replace('must NOT have', 'has') ?? `breaks the rule ${keyword}`;
}

function unknownKey(path: string, key: string, holder: unknown, schema: Violation['parentSchema']): NetError {
  const properties: Json = isObject(schema?.properties) ? schema.properties : {};
  const known = Object.keys(properties);
  const near = nearest(key, known);
  const hint = near === undefined ? `Known keys: ${known.join(', ')}` : `Did you mean ${near}?`;
  const value = isObject(holder) ? holder[key] : undefined;
  return invalid(`${path}${member(key)}`, value, 'there is no such key', hint);
}

/** Writes `/ranges/0/0/subnet` as `.ranges[0][0].subnet`. */
function jsonPath(pointer: string): string {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => member(part.replaceAll('~1', '/').replaceAll('~0', '~'))).join('');
}

function member(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  return /^[A-Za-z_$][\w$-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** ajv gives one type name or several; null only means that the key is optional. */
function typeName(type: unknown): string {
  const names = (Array.isArray(type) ? type.map(String) : String(type).split(',')).filter((name) => name !== 'null');
  return names.map((name) => (/^[aeio]/.test(name) ? `an ${name}` : `a ${name}`)).join(' or ');
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(', ') : String(values);
}

/** Returns the object with keys respelt as in `known` if they differ only by case. */
export function respell(value: Json, known: readonly string[]): Json {
  const spelling = new Map(known.map((key) => [key.toLowerCase(), key]));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      Object.hasOwn(value, key) && known.includes(key) ? key : (spelling.get(key.toLowerCase()) ?? key),
      inner,
    ]),
  );
}
