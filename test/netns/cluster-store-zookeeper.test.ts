import { openClusterStore } from '../../src/shared/store/cluster/open.ts';
import { skipIf } from '../support/skip.ts';
import { makeZooKeeper, zooKeeperMissing } from '../support/zookeeper.ts';
import { createZooKeeperClient, endSession } from '../support/zookeeper-client.ts';
import { describeClusterStore } from '../unit/cluster-store-behaviour.ts';

const ROOT = '/isthmus/test/v1/';

describe('a ClusterStore in ZooKeeper', () => {
  before(function () {
    skipIf(this, zooKeeperMissing());
  });

  describeClusterStore('ZooKeeperStore', async () => {
    const zooKeeper = await makeZooKeeper();
    const [member] = zooKeeper.members;
    if (member === undefined) throw new Error('no member');
    return {
      open: () => openClusterStore({ kind: 'zookeeper', endpoints: zooKeeper.endpoints, root: ROOT }),
      stop: () => member.pause(),
      resume: () => member.resume(),
      wipe: () => member.wipe(),
      async compact() {
        await using client = await createZooKeeperClient(member);
        await client.deleteBelow(`${ROOT}log`);
      },
      endSession: (id) => endSession(member, id),
      [Symbol.asyncDispose]: () => zooKeeper[Symbol.asyncDispose](),
    };
  });
});
