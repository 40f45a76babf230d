import { Argument, type Command } from 'commander';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Prints a script for the shell. It asks isthmus for verbs, options, and the names of networks and containers.

Examples:
  isthmus completion bash >/etc/bash_completion.d/isthmus
  isthmus completion zsh >/usr/local/share/zsh/site-functions/_isthmus
  isthmus completion fish >/etc/fish/completions/isthmus.fish
  source <(isthmus completion bash)        in this shell only
`;

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The verb that the scripts call with the words of the line, the last of which is being completed. */
export const COMPLETE = '__complete';

/** Adds the verb `completion` to `program`, and the one that its scripts call. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .summary('print completions for a shell')
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => {
      writeOut(SCRIPTS[shell]);
    });
  program
    .command(COMPLETE, { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { complete } = await import('../complete.ts');
      writeOut(
        complete(program, words)
          .map((line) => `${line}\n`)
          .join(''),
      );
    });
}

/** A line is a word, a tab and what it means; `:files` asks for names of files too. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion of isthmus
_isthmus() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) compopt -o default 2>/dev/null ;;
            *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
        esac
    done < <("\${COMP_WORDS[0]}" ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _isthmus isthmus
`,
  zsh: `#compdef isthmus
# zsh completion of isthmus
_isthmus() {
    local line word
    local -a found
    local files=
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=1
        else
            word=\${line%%$'\\t'*}
            found+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
        fi
    done < <("\${words[1]}" ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
    (( \${#found} )) && _describe isthmus found
    [[ -n $files ]] && _files
    (( \${#found} )) || [[ -n $files ]]
}
if [[ \${funcstack[1]} == _isthmus ]]; then
    _isthmus "$@"
else
    compdef _isthmus isthmus
fi
`,
  fish: `# fish completion of isthmus
function __isthmus_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] ${COMPLETE} -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c isthmus -f -a '(__isthmus_complete)'
`,
};
