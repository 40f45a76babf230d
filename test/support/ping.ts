import type { TestNetns } from './netns.ts';

/** An answer to one echo request has come back within two seconds; throws with what ping says otherwise. */
export function ping(from: TestNetns, address: string): void {
  from.run('busybox', 'ping', '-c1', '-W2', address.split('/')[0] ?? '');
}

/** True where an answer to one echo request comes within a second. */
export function canPing(from: TestNetns, address: string): boolean {
  try {
    from.run('busybox', 'ping', '-c1', '-W1', address);
    return true;
  } catch {
    return false;
  }
}
