import { describeAddresses } from './host-addresses.ts';
import type { MakeFixture } from './host-fixture.ts';
import { describeKinds } from './host-kinds.ts';
import { describeLinks } from './host-links.ts';
import { describeMoves } from './host-moves.ts';
import { describeOverlay } from './host-overlay.ts';
import { describeParents } from './host-parents.ts';
import { describeRest } from './host-rest.ts';
import { describeRules } from './host-rules.ts';
import { describeShaping } from './host-shaping.ts';
import { describeTaps } from './host-taps.ts';
import { describeTransforms } from './host-transforms.ts';

/** The tests of every Host. `make` returns a host with two new namespaces for each test. */
export function describeHost(name: string, make: MakeFixture): void {
  describe(name, () => {
    describeLinks(make);
    describeAddresses(make);
    describeOverlay(make);
    describeRest(make);
    describeShaping(make);
    describeTransforms(make);
    describe('parents', () => describeParents(make));
    describe('kinds', () => describeKinds(make));
    describe('taps', () => describeTaps(make));
    describe('moves', () => describeMoves(make));
    describe('rules', () => describeRules(make));
  });
}
