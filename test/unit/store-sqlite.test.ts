import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { makeTempDir } from '../support/temp.ts';
import { describeStore } from './store-behaviour.ts';

for (const remembers of [false, true]) {
  describeStore(remembers ? 'SqliteStore that remembers what it has parsed' : 'SqliteStore', () => {
    const directory = makeTempDir();
    return {
      open: (identity) => openSqliteStore({ stateDir: directory.path, identity, remembers }),
      [Symbol.dispose]: () => directory[Symbol.dispose](),
    };
  });
}
