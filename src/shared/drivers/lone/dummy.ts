import type { LoneDriver } from '../driver.ts';
import { describeLone } from './inside.ts';

/** Driver `dummy`: an interface that leads nowhere, for addresses that only the sandbox itself uses. */
export function dummyDriver(): LoneDriver {
  return {
    parentNs: 'sandbox',
    announces: false,
    complete: (addressing) => addressing,
    query: () => undefined,
    describeLink: (_, { ifName, mac, alias }) => ({ ifName, link: { kind: 'dummy' }, mac, alias }),
    describeInside: describeLone,
  };
}
