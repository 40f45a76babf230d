import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export const PLUGIN = join(ROOT, 'dist/cni-plugin');
export const TOUR = join(import.meta.dirname, 'tour.ts');
/** The demonstrated path, for people. */
export const EXAMPLE = 'netconf-examples/masquerade-and-ports.conflist';
export const CONFLIST = join(ROOT, EXAMPLE);
