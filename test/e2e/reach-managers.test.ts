import { SERVICES, testManager } from '../support/matrix-managers.ts';

for (const manager of SERVICES) testManager(manager);
