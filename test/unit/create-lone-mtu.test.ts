import { strict as assert } from 'node:assert';
import type { DelegateSource, IpamResult } from '../../src/shared/core/core.ts';
import { createLone } from '../../src/shared/core/endpoints/create-lone.ts';
import { macvlanDriver } from '../../src/shared/drivers/lone/macvlan.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { attachmentOf, makeCore, POD } from '../support/core.ts';

/** An IPAM that demands an MTU. */
function sourceOf(mtu: number | undefined): DelegateSource {
  const address = parsePrefix('10.6.0.7/24') ?? assert.fail();
  const result: IpamResult = { addresses: [{ address }], routes: [], dns: {}, ...(mtu === undefined ? {} : { mtu }) };
  const nothing = async (): Promise<void> => {};
  return {
    ...{ kind: 'delegate', type: 'dhcp', config: '{}', acquire: async () => result },
    ...{ release: nothing, check: nothing, status: nothing, collect: nothing },
  };
}

describe('the MTU that a DHCP server demands', () => {
  for (const [demanded, expected] of [
    [1400, 1400],
    [9000, 1500],
    [undefined, 1500],
  ] as const)
    it(`${demanded ?? 'none'}: the interface has ${expected}`, async () => {
      const up0 = { name: 'up0', kind: 'macvlan', mtu: 1500, up: true };
      const host = new FakeHost({ namespaces: { [POD]: { links: [up0] } } });
      const core = makeCore(host);
      const options = {
        driver: 'macvlan',
        master: 'up0',
        mode: 'bridge',
        linkInContainer: true,
      } as const;
      const report = await createLone(core, {
        ...{ attachment: attachmentOf(), role: 'interface', netns: POD, ownNamespace: false, aliases: [] },
        ...{ driver: macvlanDriver(options), source: sourceOf(demanded) },
      });
      assert.equal(report.interfaces[0]?.mtu, expected);
      const row = core.store.endpoints.get(attachmentOf(), 'interface');
      assert.equal(row?.kind === 'lone' && row.link.mtu, expected);
    });
});
