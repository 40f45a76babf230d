import { strict as assert } from 'node:assert';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import type { PluginCall } from '../../src/shared/runtime/cni/request.ts';
import { type PtpConfig, ptpOf } from '../../src/shared/runtime/cni/targets.ts';
import { POD, refusedWith } from '../support/core.ts';
import { makePtpScene, NO_MASQUERADE, type PtpScene, WEB } from '../support/ptp.ts';

const MASQUERADE = { ...NO_MASQUERADE, masquerade: { except: [], to: {} } };

describe('ptpOf', () => {
  let scene: PtpScene;
  beforeEach(() => {
    scene = makePtpScene();
  });

  const target = (plugin: PluginCall['plugin'], changes: Partial<PtpConfig> = {}) => {
    const config: PtpConfig = {
      ...{ options: { driver: 'ptp', mtu: 1400 }, aliases: ['a'], firewall: MASQUERADE },
      ...{ backendPath: '.firewall.backend', mappings: [], bandwidth: {} },
      ...changes,
    };
    const json = { cniVersion: '1.0.0', name: 'web', type: 'loopback' };
    const reading = { plugin: 'loopback', command: 'ADD', args: '', ifName: 'eth0', version: '1.0.0' } as const;
    const call: PluginCall = {
      ...{ plugin, env: {}, stderr: () => {}, text: '', version: '1.0.0' },
      variables: {
        ...{ command: 'ADD', containerId: 'a', netns: POD, ifName: 'eth0', args: '', path: [] },
        ownNamespace: false,
      },
      config: parsePlugin({ json, text: '' }, { ...reading, isOwn: () => false }),
    };
    return ptpOf(call, config, scene.core);
  };

  it('attaches without IPAM, with the MTU and the names that the configuration asks for', async () => {
    const { request } = target('isthmus');
    const { interfaces } = await createEndpoint(scene.core, request);
    assert.deepEqual(
      interfaces.map(({ mtu, inSandbox }) => [mtu, inSandbox]),
      [
        [1400, false],
        [1400, true],
      ],
    );
    assert.deepEqual(request.aliases, ['a']);
    assert.deepEqual(scene.core.store.networks.get('web')?.spec?.options, { driver: 'ptp', mtu: 1400 });
  });

  it('only masquerades under the name of the reference', () => {
    const own = target('isthmus', { mappings: [WEB] }).request.rules;
    assert.deepEqual([own?.admit, own?.mappings.length], [true, 1]);
    const dropIn = target('ptp').request.rules;
    assert.deepEqual([dropIn?.admit, dropIn?.options.policy], [false, 'open']);
    assert.equal(target('ptp', { firewall: NO_MASQUERADE }).request.rules, undefined);
  });

  it('refuses an internal network', () => {
    const firewall = { ...NO_MASQUERADE, policy: 'internal' } as const;
    assert.throws(() => target('isthmus', { firewall }), refusedWith('invalid-config', /\.internal.*driver "bridge"/));
  });
});
