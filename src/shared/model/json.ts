/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/**
 * JSON.parse, but half of a surrogate pair becomes U+FFFD, as Go's encoding/json has it: no file name, row of a database
 * or URI can hold one. Throws SyntaxError.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // The text itself comes from UTF-8: only an escape can make one.
  return text.includes('\\ud') || text.includes('\\uD') ? wellFormed(value) : value;
}

/** Changes what JSON.parse returned. Without recursion: the text may be nested as deeply as it likes. */
function wellFormed(value: unknown): unknown {
  const top: Record<string, unknown> = { value };
  const waiting = [top];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop())
    for (const [key, each] of Object.entries(one)) {
      const name = key.toWellFormed();
      if (name !== key) delete one[key];
      one[name] = typeof each === 'string' ? each.toWellFormed() : each;
      if (typeof each === 'object' && each !== null) waiting.push(each as Record<string, unknown>);
    }
  return top.value;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the value of `key` in an object; undefined if it is not an object, lacks the key or has null. Ignores case, as
 * Go's encoding/json does, so containerd may send `HostPort` where podman sends `hostPort`.
 */
export function field(value: unknown, key: string): unknown {
  if (!isObject(value)) return undefined;
  const exact = value[key];
  if (exact !== undefined) return exact ?? undefined;
  const wanted = key.toLowerCase();
  const found = Object.keys(value).find((name) => name.toLowerCase() === wanted);
  return found === undefined ? undefined : (value[found] ?? undefined);
}

/** Like `field`, for a nonempty string. */
export function textField(value: unknown, key: string): string | undefined {
  const found = field(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** A text as it is, any other value as JSON: an object may have a key `toString`, which String() would call. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
