import { closeSync } from 'node:fs';
import { bind, systemError } from './sys.ts';

/** The descriptor, prepared; closes it if that fails. */
export function opened(fd: number, prepare: (fd: number) => void): number {
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Throws NetError `kernel`. */
export function bindTo(fd: number, address: DataView<ArrayBuffer>): void {
  const errno = bind(fd, new Uint8Array(address.buffer));
  if (errno !== 0) throw systemError('bind', errno);
}
