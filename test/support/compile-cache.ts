import { flushCompileCache } from 'node:module';
import { join, resolve } from 'node:path';

/**
 * Added to the environment of a child that imports the product's TypeScript: Node keeps what it has compiled, which is
 * two thirds of what such a child costs. Never for an executable under test.
 */
export const COMPILE_CACHE: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: join(resolve(import.meta.dirname, '../..'), 'node_modules/.cache/isthmus-tests'),
};

/** The process has ended as by `kill -9`, and Node has kept what it has compiled. */
export function die(): void {
  flushCompileCache();
  process.kill(process.pid, 'SIGKILL');
}
