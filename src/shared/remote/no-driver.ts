import type { RemotePlugin } from './plugin.ts';

/** The driver of a network whose plugin only gives addresses: agrees to everything and does nothing. */
export const NO_DRIVER: RemotePlugin = { name: '', call: () => Promise.resolve({}) };
