import { describeAddresses } from './host-addresses.ts';
import type { MakeFixture } from './host-fixture.ts';
import { describeLinks } from './host-links.ts';
import { describeOverlay } from './host-overlay.ts';
import { describeRest } from './host-rest.ts';
import { describeShaping } from './host-shaping.ts';
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
  });
}
