/** Asks etcd at the endpoints of its arguments for its status, from its own network namespace; prints that, or the error. */
import { openClusterStore } from '../../src/shared/store/cluster/open.ts';

const [root = '', ...endpoints] = process.argv.slice(2);
using store = await openClusterStore({ kind: 'etcd', endpoints, root });
const since = performance.now();
try {
  const { member } = await store.status();
  console.log(`served by ${member}`);
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
console.log(`${Math.round(performance.now() - since)} ms`);
