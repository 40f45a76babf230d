/** A gRPC server in a thread of its own, which says where it is, and ends with a message to it. */
import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { echo, startGrpc } from './grpc-server.ts';

await using server = await startGrpc(echo);
parentPort?.postMessage(server.path);
if (parentPort !== null) await once(parentPort, 'message');
parentPort?.close();
