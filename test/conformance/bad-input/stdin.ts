import type { BadInput } from './case.ts';

const MIB = 1 << 20;
const DEEP = 200_000;

/** Input that is no configuration: code 6, or 5 where it cannot be read. The answer is of the newest version. */
export const STDIN: readonly BadInput[] = [
  { title: 'nothing', stdin: '', code: 6, says: ['stdin', 'empty'] },
  { title: 'white space', stdin: ' \n\t', code: 6, says: ['stdin', 'empty'] },
  { title: 'an object that does not end', stdin: '{"cniVersion":"1.0.0","name":"web"', code: 6, says: ['not JSON'] },
  { title: 'no JSON', stdin: 'name: web', code: 6, says: ['not JSON'] },
  { title: 'two objects', stdin: '{"name":"web"}{"name":"web"}', code: 6, says: ['not JSON'] },
  { title: 'a list', stdin: '[{"name":"web"}]', code: 6, says: ['not a JSON object'] },
  { title: 'a text', stdin: '"web"', code: 6, says: ['not a JSON object'] },
  { title: 'null', stdin: 'null', code: 6, says: ['not a JSON object'] },
  { title: 'a number', stdin: '42', code: 6, says: ['not a JSON object'] },
  {
    title: 'more than 1 MiB',
    stdin: JSON.stringify({ cniVersion: '1.0.0', name: 'web', args: { text: 'x'.repeat(MIB) } }),
    code: 6,
    says: ['stdin', 'bytes', String(MIB)],
  },
  { title: 'a directory', stdin: '', prefix: ['sh', '-c', 'exec "$0" </'], code: 5, says: ['stdin', 'EISDIR'] },
  {
    title: 'a value that is nested too deeply to be shown',
    stdin: `{"cniVersion":"1.1.0","name":"web","type":"isthmus","mtu":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`,
    code: 7,
    says: ['.mtu', 'more than 64 levels'],
  },
  { title: 'nothing, for CHECK', command: 'CHECK', stdin: '', code: 6, says: ['stdin', 'empty'] },
  { title: 'no JSON, for DEL', command: 'DEL', stdin: '{', code: 6, says: ['not JSON'] },
  { title: 'a list, for GC', command: 'GC', stdin: '[]', code: 6, says: ['not a JSON object'] },
  { title: 'nothing, for STATUS', command: 'STATUS', stdin: '', code: 6, says: ['stdin', 'empty'] },
];
