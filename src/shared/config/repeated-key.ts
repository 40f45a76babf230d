/** JSON's tokens; the text is known to be JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

interface Level {
  readonly isObject: boolean;
  readonly seen: Set<string>;
  key?: string;
  isBeforeKey: boolean;
}

/**
 * Returns a key that the object at `path` of a JSON text has twice, or undefined. JSON.parse keeps only the last value of
 * such a key, without an error.
 */
export function repeatedKey(text: string, path: readonly string[]): string | undefined {
  const levels: Level[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[')
      levels.push({ isObject: token === '{', seen: new Set(), isBeforeKey: token === '{' });
    else if (token === '}' || token === ']') levels.pop();
    else if (level?.isObject && token === ',') level.isBeforeKey = true;
    else if (level?.isBeforeKey) {
      const key: string = JSON.parse(token);
      level.key = key;
      level.isBeforeKey = false;
      if (levels.length !== path.length + 1 || path.some((name, i) => levels[i]?.key !== name)) continue;
      if (level.seen.has(key)) return key;
      level.seen.add(key);
    }
  }
  return undefined;
}
