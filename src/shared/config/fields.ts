/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value of `key` in an object, or undefined where it is no object, or has no such key or null in it. Case does not
 * count: Go's encoding/json ignores it, so containerd may send `HostPort` where podman sends `hostPort`.
 */
export function field(value: unknown, key: string): unknown {
  if (!isObject(value)) return undefined;
  const exact = value[key];
  if (exact !== undefined) return exact ?? undefined;
  const wanted = key.toLowerCase();
  const found = Object.keys(value).find((name) => name.toLowerCase() === wanted);
  return found === undefined ? undefined : (value[found] ?? undefined);
}

/** As `field`, where the value is a string that is not empty. */
export function textField(value: unknown, key: string): string | undefined {
  const found = field(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** The object with its keys spelt as in `known` wherever they differ by case only. */
export function respell(value: Json, known: readonly string[]): Json {
  const spelling = new Map(known.map((key) => [key.toLowerCase(), key]));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      Object.hasOwn(value, key) && known.includes(key) ? key : (spelling.get(key.toLowerCase()) ?? key),
      inner,
    ]),
  );
}
