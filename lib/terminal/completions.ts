import type { Command } from "commander";
import { type Writer, writeText } from "./write.ts";

/** A shell that {@link renderCompletions} knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@link SHELLS}. */
export type Shell = typeof SHELLS[number];

/** What a value is that a running program knows: a kind of `PROGRAM values KIND`. */
export type LiveValues = Readonly<Record<string, string>>;

/** A command and what may follow it. */
interface Node {
  /** The words after the program's name. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly string[];
  /** What may stand at each place; nothing: anything. */
  readonly values: readonly Values[];
}

/** Values that are known here, and those that a running program is asked for. */
interface Values {
  readonly choices: readonly string[];
  readonly live?: string | undefined;
}

/**
 * A completion script for a shell, made from the commands themselves.
 *
 * @param live For the name of an argument, or of an option's value: what to ask the running program
 *   for, with `values` and this word.
 */
export function renderCompletions(program: Command, shell: Shell, live: LiveValues = {}): string {
  const nodes = walk(program, [], live);
  const name = program.name();
  switch (shell) {
    case "bash":
      return bash(name, nodes, optionValues(program, live));
    case "zsh":
      // zsh reads bash's completions.
      return `#compdef ${name}\nautoload -U +X bashcompinit && bashcompinit\n${
        bash(name, nodes, optionValues(program, live))
      }${zshFirst(name)}`;
    case "fish":
      return fish(name, nodes, optionValues(program, live));
  }
}

/** Adds the command that prints {@link renderCompletions}. */
export function addCompletions(
  program: Command,
  live: LiveValues = {},
  stdout: Writer = Deno.stdout,
): void {
  program.command("completions")
    .description("print a completion script for a shell")
    .addArgument(program.createArgument("<shell>", "your shell").choices(SHELLS))
    .action((shell: Shell) => writeText(stdout, renderCompletions(program, shell, live)));
}

/** A file that zsh loads at the first tab has to answer that tab too. */
function zshFirst(name: string): string {
  const asked = `_${name.replaceAll("-", "_")}`;
  return `[[ \${funcstack[1]} == _${name} ]] && _bash_complete -o default -F ${asked}\ntrue\n`;
}

function walk(command: Command, path: readonly string[], live: LiveValues): Node[] {
  const global = path.length === 0 ? [] : optionsOf(rootOf(command));
  const node: Node = {
    path,
    commands: visible(command).map((sub) => ({
      name: sub.name(),
      description: sub.description(),
    })),
    options: [...new Set([...optionsOf(command), ...global, "--help"])],
    values: command.registeredArguments.map((argument) => ({
      choices: argument.argChoices ?? [],
      live: live[argument.name()],
    })),
  };
  return [node, ...visible(command).flatMap((sub) => walk(sub, [...path, sub.name()], live))];
}

/** Hidden ones are for scripts. */
function visible(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command).filter((sub) => sub.name() !== "help");
}

/** Of every option that takes a value: by its name, whatever the command. */
function optionValues(program: Command, live: LiveValues): ReadonlyMap<string, Values> {
  const found = new Map<string, Values>();
  const add = (command: Command) => {
    for (const option of command.options) {
      if (!option.required && !option.optional) continue;
      const word = /<(.*)>/.exec(option.flags)?.[1] ?? "";
      const values = { choices: option.argChoices ?? [], live: live[word] };
      for (const name of [option.long, option.short]) if (name) found.set(name, values);
    }
    command.commands.forEach(add);
  };
  add(program);
  return found;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function optionsOf(command: Command): string[] {
  return command.options.map(({ long }) => long).filter((long) =>
    long !== undefined && long !== null
  );
}

function bash(
  name: string,
  nodes: readonly Node[],
  options: ReadonlyMap<string, Values>,
): string {
  const cases = nodes.map(({ path, commands, options, values }) => {
    const words = [...commands.map(({ name }) => name), ...options].join(" ");
    const places = values.map((place, i) => `      ${i}) ${wordsOf(name, place)} ;;`);
    const place = places.length === 0
      ? ""
      : `\n      case $place in\n${places.join("\n")}\n      esac`;
    return `    "${path.join(" ")}") words="${words}"${place} ;;`;
  });
  const valued = [...options].map(([option, values]) =>
    `    ${option}) words=""; ${wordsOf(name, values)} ;;`
  );
  return `_${name.replaceAll("-", "_")}() {
  local path="" word words="" before="" place=0 i cur=\${COMP_WORDS[COMP_CWORD]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$before" in
      ${[...options.keys()].join("|")}) before=""; continue ;;
    esac
    before=$word
    [[ $word == -* ]] && continue
    case " ${allPaths(nodes)} " in
      *"|$path\${path:+ }$word|"*) path="$path\${path:+ }$word"; place=0 ;;
      *) place=$((place + 1)) ;;
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  case "$before" in
${valued.join("\n")}
  esac
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$cur")
}
# Addresses of listeners have colons in them.
COMP_WORDBREAKS=\${COMP_WORDBREAKS//:/}
complete -o default -F _${name.replaceAll("-", "_")} ${name}
`;
}

/** Adds what may stand there to the words. The program is asked only when somebody wants to know. */
function wordsOf(name: string, { choices, live }: Values): string {
  const known = choices.length === 0 ? "" : ` ${choices.join(" ")}`;
  const asked = live === undefined ? "" : ` $(${name} --timeout 2s values ${live} 2>/dev/null)`;
  return `words+="${known}${asked}"`;
}

function allPaths(nodes: readonly Node[]): string {
  return nodes.filter(({ path }) => path.length > 0).map(({ path }) => `|${path.join(" ")}|`)
    .join("");
}

/** One function that knows where the cursor is, as in bash: fish's own conditions know no places. */
function fish(
  program: string,
  nodes: readonly Node[],
  options: ReadonlyMap<string, Values>,
): string {
  const asked = `__${program.replaceAll("-", "_")}_complete`;
  const say = (words: readonly string[]) =>
    words.length === 0 ? [] : [`printf '%s\\n' ${words.map(quote).join(" ")}`];
  const valuesOf = ({ choices, live }: Values) => [
    ...say(choices),
    ...live === undefined ? [] : [`${program} --timeout 2s values ${live} 2>/dev/null`],
  ];
  const valued = [...options].map(([option, values]) => {
    const known = valuesOf(values);
    // A path, for all that is known here.
    const lines = known.length > 0 ? known : ["__fish_complete_path (commandline -ct)"];
    return `    case ${option}\n      ${lines.join("\n      ")}\n      return`;
  });
  const cases = nodes.map(({ path, commands, options, values }) => {
    const described = commands.map(({ name, description }) =>
      `printf '%s\\t%s\\n' ${quote(name)} ${quote(description)}`
    );
    const places = values.flatMap((place, i) => {
      const known = valuesOf(place);
      return known.length === 0 ? [] : [`test $place = ${i}; and ${known.join("; and ")}`];
    });
    const lines = [...described, ...say(options), ...places];
    return `    case ${quote(path.join(" "))}\n      ${lines.join("\n      ")}`;
  });
  const paths = nodes.filter(({ path }) => path.length > 0).map(({ path }) =>
    quote(path.join(" "))
  );
  return `function ${asked}
  set -l path ''
  set -l before ''
  set -l place 0
  for word in (commandline -opc)[2..-1]
    if contains -- "$before" ${[...options.keys()].join(" ")}
      set before ''
      continue
    end
    set before $word
    string match -q -- '-*' $word; and continue
    set -l next (string trim "$path $word")
    if contains -- $next ${paths.join(" ")}
      set path $next
      set place 0
    else
      set place (math $place + 1)
    end
  end
  switch "$before"
${valued.join("\n")}
  end
  switch "$path"
${cases.join("\n")}
  end
end
complete -c ${program} -f -a '(${asked})'
`;
}

/** A word of fish. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
