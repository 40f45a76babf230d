import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { etcdMissing, makeEtcd } from '../support/etcd.ts';
import { skipIf } from '../support/skip.ts';
import { describeClusterStore } from '../unit/cluster-store-behaviour.ts';

const ROOT = '/isthmus/test/v1/';

describe('a ClusterStore in etcd', () => {
  before(function () {
    skipIf(this, etcdMissing());
  });

  describeClusterStore('EtcdStore', async () => {
    const etcd = await makeEtcd();
    const [member] = etcd.members;
    if (member === undefined) throw new Error('no member');
    return {
      open: () => openClusterStore({ kind: 'etcd', endpoints: etcd.endpoints, root: ROOT }),
      stop: () => member.pause(),
      resume: () => member.resume(),
      wipe: () => member.wipe(),
      async compact() {
        const [, revision] = /"revision":(\d+)/.exec(etcd.ctl('endpoint', 'status', '--write-out=json')) ?? [];
        etcd.ctl('compaction', String(revision));
      },
      endSession: async (id) => void etcd.ctl('lease', 'revoke', id),
      [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
    };
  });
});
