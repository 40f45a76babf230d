import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { makeTempDir } from '../support/temp.ts';
import { describeStore } from './store-behaviour.ts';

describeStore('SqliteStore', () => {
  const directory = makeTempDir();
  return {
    open: (identity) => openSqliteStore({ stateDir: directory.path, identity }),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
});
