/** Waits so many milliseconds and blocks the thread meanwhile: the process lives for one call only. */
export function pause(ms: number): void {
  Atomics.wait(nobody, 0, 0, ms);
}

const nobody = new Int32Array(new SharedArrayBuffer(4));
