import { strict as assert } from 'node:assert';
import { removeNetns } from '../support/netns.ts';
import { VIA } from '../support/via.ts';
import { BACKENDS, CHAIN, filterDefect } from './filter-defect.ts';
import { masquerading } from './reference-rules.ts';

const PORT = { hostPort: 8080 };

filterDefect('D1', 'masquerading', {
  pods: 2,
  reference: (lab, dir) => {
    for (const [pod, ipMasqBackend] of BACKENDS.entries()) {
      const chain = lab.chain(CHAIN, { dir, bridge: { ipMasqBackend } });
      chain.add({ pod });
      const added = masquerading(lab.host);
      assert.equal(added.length, pod + 1);
      removeNetns(lab.host.pod(pod).name);
      chain.del({ pod });
      assert.deepEqual(masquerading(lab.host), added);
    }
  },
  ours: (lab, form, dir) => {
    const chain = lab.chain(form, { dir, ports: [PORT] });
    for (const netns of [lab.host.pod(0).path, '']) {
      chain.add({ pod: 0 });
      if (netns !== '') chain.del({ pod: 0, netns: '' });
      else {
        removeNetns(lab.host.pod(0).name);
        chain.del({ pod: 0 });
      }
    }
  },
});

filterDefect('D1', 'the guard against spoofed MAC addresses', {
  reference: (lab, dir) => {
    const chain = lab.chain(CHAIN, { dir, bridge: { macspoofchk: true } });
    chain.add({ pod: 0 });
    removeNetns(lab.host.pod(0).name);
    chain.del({ pod: 0 });
    assert.match(lab.rules(), /chain cni-br-iface-/);
  },
  ours: (lab, form, dir) => {
    const chain = lab.chain(form, { dir, bridge: { macspoofchk: true } });
    chain.add({ pod: 0 });
    assert.match(lab.rules(), /table bridge isthmus/);
    removeNetns(lab.host.pod(0).name);
    chain.del({ pod: 0 });
  },
});

filterDefect('D4', 'nft flush ruleset', {
  pods: 2,
  reference: (lab, dir) => {
    for (const [pod, ipMasqBackend] of BACKENDS.entries()) {
      const chain = lab.chain(CHAIN, { dir, bridge: { macspoofchk: true, ipMasqBackend } });
      const result = chain.add({ pod });
      lab.host.ns.run('nft', 'flush', 'ruleset');
      assert.doesNotMatch(lab.rules(), /masquerade|cni-br-iface/i);
      assert.equal(chain.run(0, 'CHECK', { pod }, result).code, 0, ipMasqBackend);
    }
  },
  ours: (lab, form, dir) => {
    const chain = lab.chain(form, { dir, ports: [PORT], bridge: { macspoofchk: true } });
    const result = chain.add({ pod: 0 });
    chain.check({ pod: 0 }, result);
    const assertRefused = (): void => {
      const { code, json } = chain.run(0, 'CHECK', { pod: 0 }, result);
      // A daemon may have put the rules back already.
      if (VIA === 'daemon' && code === 0) assert.match(lab.host.ns.run('nft', 'list', 'ruleset'), /bridge isthmus/);
      else assert.deepEqual([code, json?.code], [1, 102]);
    };
    lab.host.ns.run('nft', 'flush', 'ruleset');
    assertRefused();
    lab.reload(dir);
    chain.check({ pod: 0 }, result);
    lab.host.ns.run('nft', 'delete', 'table', 'bridge', 'isthmus');
    assertRefused();
    chain.del({ pod: 0 });
  },
});
