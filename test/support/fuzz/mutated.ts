import fc from 'fast-check';

/** `base` with one or two of its values, at any depth, replaced, removed or joined by another key. */
export function mutated(base: object): fc.Arbitrary<unknown> {
  const paths = pathsOf(base);
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -1,
      1.5,
      1e308,
      2 ** 53,
      '',
      'x',
      '0',
      '/',
      '::',
      '[]',
      [],
      {},
      [null],
      [[]],
    ),
    fc.constantFrom<unknown>(
      '10.88.0.0/24',
      '10.88.0.1',
      'fd00::/64',
      '0.0.0.0/0',
      '999.0.0.1',
      '__proto__',
      'constructor',
    ),
    fc.constantFrom<unknown>(
      ...[
        'a\0b',
        '-x',
        'all',
        '%',
        'br%d',
        '\u001b[2J',
        '\ud800',
        '../../x',
        '255.255.255.255',
        '127.0.0.1/8',
        'ff02::1',
      ],
      ...[
        '::/0',
        '::ffff:1.2.3.4',
        '10.88.0.0/31',
        '1e3',
        ' '.repeat(5000),
        '/'.repeat(20_000),
        2 ** 31,
        2 ** 32,
        65_536,
      ],
      ...[nested(70), nested(5000), Array(2000).fill('10.0.0.0/8'), Array(300).fill({ dst: '10.0.0.0/8' })],
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])),
    ),
    fc.jsonValue(),
  );
  const change = fc.tuple(fc.constantFrom(...paths), fc.constantFrom('set', 'delete', 'add'), value);
  return fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) => {
    const copy: unknown = structuredClone(base);
    for (const [path, how, what] of changes) mutate(copy, path, how, what);
    return copy;
  });
}

function mutate(root: unknown, path: readonly string[], how: string, what: unknown): void {
  let at: unknown = root;
  for (const key of path.slice(0, -1)) {
    if (!isObject(at)) return;
    at = at[key];
  }
  const last = path.at(-1);
  if (!isObject(at) || last === undefined) return;
  if (how === 'set') at[last] = what;
  else if (how === 'delete') delete at[last];
  else at[`${last}x`] = what;
}

function pathsOf(value: unknown, prefix: readonly string[] = []): string[][] {
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((key) => [[...prefix, key], ...pathsOf(value[key], [...prefix, key])]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}
