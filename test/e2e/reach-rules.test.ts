import { MANAGERS, testManager } from '../support/matrix-managers.ts';

for (const manager of MANAGERS.rules) testManager(manager);
