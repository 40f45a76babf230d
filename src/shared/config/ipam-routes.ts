import { given } from '../model/given.ts';
import { field, textField } from '../model/json.ts';
import { formatPrefix, networkOf } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { invalid } from './invalid.ts';
import { readAddr, readPrefix } from './ipam-values.ts';

/** Parses the routes of a list of valid shape; clears the host bits of destinations. */
export function readRoutes(value: unknown, path: string): Route[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, i) => readRoute(item, `${path}[${i}]`));
}

function readRoute(value: unknown, path: string): Route {
  const dst = networkOf(readPrefix(textField(value, 'dst') ?? '', `${path}.dst`));
  const text = textField(value, 'gw');
  const gateway = text === undefined ? undefined : readAddr(text, `${path}.gw`);
  if (gateway !== undefined && gateway.family !== dst.addr.family)
    throw invalid(
      `${path}.gw`,
      text,
      `it is IPv${gateway.family}, and dst ${formatPrefix(dst)} is IPv${dst.addr.family}`,
      'Give a gateway of the same family, or none',
    );
  const [mtu, advmss, priority, table, scope] = ['mtu', 'advmss', 'priority', 'table', 'scope'].map((key) => {
    const found = field(value, key);
    return typeof found === 'number' ? found : undefined;
  });
  return {
    dst,
    ...given({ gateway }),
    // Go writes 0 for an absent value.
    ...(mtu ? { mtu } : {}),
    ...(advmss ? { advmss } : {}),
    ...(priority ? { priority } : {}),
    ...given({ table, scope }),
  };
}
