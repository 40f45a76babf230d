/** Blocks the thread for this many milliseconds: the process serves one call only. */
export function pause(ms: number): void {
  Atomics.wait(nobody, 0, 0, ms);
}

const nobody = new Int32Array(new SharedArrayBuffer(4));
