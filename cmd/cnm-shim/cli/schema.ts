import { Argument, type Command } from 'commander';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Prints a JSON Schema (draft-07) as one document. An editor checks and completes
a configuration that names it:

  isthmus schema >/etc/isthmus/conflist.schema.json
  { "$schema": "/etc/isthmus/conflist.schema.json", "name": "web", … }

Examples:
  isthmus schema                   of a list, /etc/cni/net.d/*.conflist
  isthmus schema netconf           of one plugin, /etc/cni/net.d/*.conf
  isthmus schema cluster           of /etc/isthmus/cluster.json
`;

const NAMES = ['conflist', 'netconf', 'cluster'] as const;

/** Adds the verb `schema` to `program`. */
export function addSchema(program: Command): void {
  program
    .command('schema')
    .addArgument(new Argument('[of]', 'what the file is').choices(NAMES).default('conflist'))
    .summary('print the JSON Schema of a configuration')
    .addHelpText('after', EXAMPLES)
    .action(async (name: (typeof NAMES)[number]) => {
      const { publishedSchema } = await import('../../../src/shared/config/published-schema.ts');
      writeOut(`${JSON.stringify(publishedSchema(name), null, 2)}\n`);
    });
}
