import { MANAGERS, testManager } from '../support/matrix-managers.ts';

for (const manager of MANAGERS.shorewall) testManager(manager);
