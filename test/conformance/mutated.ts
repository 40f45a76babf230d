/**
 * The value with one place changed: `at` says which, and `any` supplies the new content. Places are all keys and items,
 * at any depth; every fifth time the place is deleted instead.
 */
export function mutated(value: unknown, any: Iterable<unknown>, at: number): unknown {
  const places = count(value) - 1;
  if (places === 0) return value;
  const [given] = any;
  return walk(value, { left: at % places, gone: at % 5 === 0, given });
}

interface Mutation {
  left: number;
  readonly gone: boolean;
  readonly given: unknown;
}

function count(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, inner) => sum + count(inner), 1);
}

function walk(value: unknown, mutation: Mutation): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    if (mutation.left-- !== 0) return [[key, walk(inner, mutation)]];
    return mutation.gone ? [] : [[key, mutation.given]];
  });
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}
