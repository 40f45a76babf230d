import { MANAGERS, testManager } from '../support/matrix-managers.ts';

for (const manager of MANAGERS.firewalld) testManager(manager);
