import { CLAIM } from '../../src/shared/runtime/cni/protocol.ts';
import { answerFrame, startPeer } from './launcher-peer.ts';

/**
 * A peer in a separate process, which a test can stop and kill: `<directory> <backlog> serve|hang`. Prints `ready`, and
 * for each request `claimed` or `refused`, as the kernel accepted the claim. `hang` never answers after it.
 */
const [dir = '', backlog = '', mode = ''] = process.argv.slice(2);

await startPeer(
  dir,
  ({ socket }) => {
    socket.write(Buffer.of(CLAIM), (error) => console.log(error ? 'refused' : 'claimed'));
    if (mode === 'serve') socket.end(answerFrame(0, 'served'));
  },
  { backlog: Number(backlog) },
);
console.log('ready');
