import { strict as assert } from 'node:assert';
import { type Addr, parseAddr } from '../../src/shared/model/addr.ts';
import { type Prefix, parsePrefix } from '../../src/shared/model/prefix.ts';
import { parseRoute, type Route } from '../../src/shared/model/route.ts';

export function addrOf(text: string): Addr {
  return parseAddr(text) ?? assert.fail(text);
}

export function prefixOf(text: string): Prefix {
  return parsePrefix(text) ?? assert.fail(text);
}

export function routeOf(dst: string, gateway?: string): Route {
  return parseRoute({ dst, ...(gateway === undefined ? {} : { gateway }) }) ?? assert.fail(`${dst} ${gateway}`);
}
