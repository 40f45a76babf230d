import { digest } from '../model/attachment.ts';

/**
 * MAC of the host side: `fe` and 40 bits of its name's digest. The first byte is the highest, because a bridge without
 * a MAC of its own takes the lowest of its ports'.
 */
export function hostMac(hostIf: string): string {
  const tail = digest('host-mac', hostIf).slice(0, 10).match(/../g) ?? [];
  return ['fe', ...tail].join(':');
}
