import type { Socket } from 'node:net';
import { fault } from '../../src/shared/errors/fault.ts';

/** The descriptor of a connection: Node exposes it only through this property. Throws NetError `io` if it is closed. */
export function fdOf(connection: Socket): number {
  const handle: unknown = Reflect.get(connection, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw fault.io('socket', 'connection', 'it is closed');
}
