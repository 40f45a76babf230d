import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from '../test/support/compile-cache.ts';

// Loaded first into the tests' process. It is no variable of its environment, which the executables under test would get.
enableCompileCache(COMPILE_CACHE.NODE_COMPILE_CACHE);
