/**
 * One call of the plugin, with its environment and stdin, that kills itself right after Op number `argv[2]`, counted
 * from 0. Each Op goes to the kernel alone. Exits normally when there are fewer Ops.
 */
import { readFileSync } from 'node:fs';
import { parseDocument, versionOf } from '../../src/shared/config/document.ts';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { parseRemoval } from '../../src/shared/config/removal-config.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, Namespaces } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { add } from '../../src/shared/runtime/cni/add.ts';
import { del } from '../../src/shared/runtime/cni/del.ts';
import { type Call, readingOf } from '../../src/shared/runtime/cni/request.ts';
import { openCore } from '../../src/shared/runtime/context.ts';
import { parseEnvironment } from '../../src/shared/runtime/environment.ts';
import { die } from './compile-cache.ts';

let left = Number(process.argv[2]);

function countDown(): void {
  if (left-- === 0) die();
}

/** The host, with a death in it. */
function mortal(host: Host): Host {
  return {
    identity: host.identity,
    own: host.own,
    open: (path) => host.open(path),
    observe: (ns, query) => host.observe(ns, query),
    apply: (ops: readonly Op[], namespaces: Namespaces): void => {
      for (const op of ops) {
        host.apply([op], namespaces);
        countDown();
      }
    },
    revert: (ops: readonly Op[], namespaces: Namespaces): NetError[] =>
      ops.flatMap((op) => {
        const errors = host.revert([op], namespaces);
        countDown();
        return errors;
      }),
  };
}

const text = readFileSync(0, 'utf8');
const document = parseDocument(text);
const variables = parseEnvironment(process.env);
const call: Call = {
  plugin: 'isthmus',
  variables,
  env: process.env,
  stderr: () => {},
  text,
  version: versionOf(document),
};
using core = openCore(process.env);
const dying = Object.create(core, { host: { value: mortal(core.host) } });
if (variables.command === 'ADD') {
  await add({ ...call, config: parsePlugin(document, readingOf(call, 'ADD')) }, dying);
} else {
  await del({ ...call, config: parseRemoval(document, { plugin: 'isthmus', isOwn: () => false }) }, dying);
}
