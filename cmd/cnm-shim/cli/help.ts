import type { Command } from 'commander';
import { writeOut } from './stdout.ts';
import { wrapProse } from './verb.ts';

/** Pages of `isthmus help` that are about no verb. */
export const TOPICS = {
  'exit-codes': `The exit code of every verb is one of these:

  0   it has done what was asked for
  1   it failed, or what it looked for is missing or differs
  2   wrong usage: an unknown verb or option, or input with a mistake in it

Errors are lines on stderr, each beginning with "isthmus:" or "error:". stdout has only what was asked for. Calls of runtimes (CNI_COMMAND is set) exit with 0 or 1, and print an error as JSON on stdout.
`,
  json: `Verbs that list or show something print JSON with -o json (or --format json): one list or one object, complete, and valid where the table would be cut or empty.

Within a major version, keys are added, and never removed or given another type. A key is absent where it has no value. Counts of addresses are numbers, approximate above 2^53. An empty hostIp is every address of the host.
`,
} as const;

/** Adds `help`, which also has the verbs of `network` and `endpoint`, and pages about no verb. */
export function addHelp(program: Command): void {
  const topics = Object.keys(TOPICS);
  program.helpCommand(false);
  program.addHelpText('after', `\nisthmus help ${topics.join(', isthmus help ')}: more about these.`);
  program
    .command('help')
    .argument('[verb...]', 'a verb, or exit-codes or json')
    .summary('show the help page of a verb')
    .action((words: readonly string[]) => {
      const topic = topics.find((name) => name === words.join(' '));
      if (topic === undefined) pageOf(program, words).outputHelp();
      else writeOut(wrapProse(TOPICS[topic as keyof typeof TOPICS], process.stdout.columns ?? 80));
    });
}

/** Ends the process with an error where there is no such verb. */
function pageOf(program: Command, words: readonly string[]): Command {
  let page = program;
  for (const word of words) {
    const next = page.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) return page.error(`error: there is no verb '${words.join(' ')}'`);
    page = next;
  }
  return page;
}
