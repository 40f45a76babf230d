import { type AddHelpTextContext, type AddHelpTextPosition, Command } from 'commander';

/** Prose is easiest to read in lines of this length. */
const PROSE_WIDTH = 78;
/** Columns of help text without a terminal. */
const USUAL_WIDTH = 80;

/** A verb of the command line. Its help is as wide as the terminal, and prose in it breaks at 78 characters. */
export class Verb extends Command {
  /** What stands behind the options in the help, as it was written. */
  readonly texts: string[] = [];

  override createCommand(name?: string): Verb {
    return new Verb(name);
  }

  override addHelpText(position: AddHelpTextPosition, text: string | ((context: AddHelpTextContext) => string)): this {
    if (typeof text !== 'string') return super.addHelpText(position, text);
    this.texts.push(text);
    return super.addHelpText(position, () => wrapProse(text, process.stdout.columns ?? USUAL_WIDTH));
  }
}

/**
 * Breaks paragraphs anew. Headings (`Examples:`) and lines that begin with a blank stay as they are, save that an
 * explanation which does not fit behind its command goes below it.
 */
export function wrapProse(text: string, columns: number): string {
  const width = Math.min(PROSE_WIDTH, Math.max(columns, 1));
  return paragraphsOf(text)
    .map((paragraph) => {
      if (/^\s/.test(paragraph)) return paragraph.length <= columns ? paragraph : below(paragraph, columns);
      return /^$|^[A-Z]\w*:$/.test(paragraph) ? paragraph : wrap(paragraph, width);
    })
    .join('\n');
}

const INDENT = '        ';

/** A command, and what it does on the next lines. */
function below(line: string, columns: number): string {
  const [, command, words] = /^(\s+\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
  if (command === undefined || words === undefined) return line;
  return `${command}\n${wrap(words, columns - INDENT.length).replaceAll(/^/gm, INDENT)}`;
}

/** Joins the lines of each paragraph. */
export function paragraphsOf(text: string): string[] {
  const found: string[] = [];
  let open = false;
  for (const line of text.split('\n')) {
    const isProse = line !== '' && !/^\s/.test(line) && !/^[A-Z]\w*:$/.test(line);
    if (isProse && open) found[found.length - 1] += ` ${line}`;
    else found.push(line);
    open = isProse;
  }
  return found;
}

function wrap(paragraph: string, width: number): string {
  const lines = [''];
  for (const word of paragraph.split(/ +/)) {
    const last = lines.at(-1) ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
