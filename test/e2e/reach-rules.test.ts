import { RULE_CHANGES, testManager } from '../support/matrix-managers.ts';

for (const manager of RULE_CHANGES) testManager(manager);
