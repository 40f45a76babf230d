/** Objects whose keys are data: labels by name, milliseconds by phase. */
const MAPS: ReadonlySet<string> = new Set(['labels', 'phases']);

/**
 * The keys of JSON values with the types of what they hold, one a line and sorted: `[].subnets[].size: number`. Values
 * that several texts or list items have are one line, with every type that was seen: `mtu: number|string`.
 */
export function shapeOf(...values: readonly unknown[]): string[] {
  const types = new Map<string, Set<string>>();
  for (const value of values) visit(value, '', types);
  const paths = [...types.keys()];
  const isKnown = (path: string): boolean => paths.some((other) => other !== path && other.startsWith(path));
  return [...types]
    .filter(([path, found]) => found.size > 0 || !isKnown(path))
    .map(([path, found]) => `${path}: ${[...found].sort().join('|') || 'none seen'}`)
    .sort();
}

function visit(value: unknown, path: string, types: Map<string, Set<string>>): void {
  if (Array.isArray(value)) {
    // An empty list must not look like a value without a type.
    if (value.length === 0) note(`${path}[]`, undefined, types);
    for (const item of value) visit(item, `${path}[]`, types);
  } else if (typeof value === 'object' && value !== null) {
    const isMap = MAPS.has(path.replace(/^.*\./, ''));
    for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${isMap ? '*' : key}`, types);
  } else note(path, value === null ? 'null' : typeof value, types);
}

function note(path: string, type: string | undefined, types: Map<string, Set<string>>): void {
  const known = types.get(path) ?? new Set();
  types.set(path, type === undefined ? known : known.add(type));
}
