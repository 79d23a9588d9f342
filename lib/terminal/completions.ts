import type { Command } from "commander";

/** A shell that {@link renderCompletions} knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@link SHELLS}. */
export type Shell = typeof SHELLS[number];

/** A command and what may follow it. */
interface Node {
  /** The words after the program's name. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly string[];
}

/** A completion script for a shell, made from the commands themselves. */
export function renderCompletions(program: Command, shell: Shell): string {
  const nodes = walk(program, []);
  const name = program.name();
  switch (shell) {
    case "bash":
      return bash(name, nodes);
    case "zsh":
      // zsh reads bash's completions.
      return `#compdef ${name}\nautoload -U +X bashcompinit && bashcompinit\n${bash(name, nodes)}`;
    case "fish":
      return fish(name, nodes);
  }
}

function walk(command: Command, path: readonly string[]): Node[] {
  const global = path.length === 0 ? [] : optionsOf(rootOf(command));
  const node: Node = {
    path,
    commands: command.commands.map((sub) => ({
      name: sub.name(),
      description: sub.description(),
    })),
    options: [...new Set([...optionsOf(command), ...global, "--help"])],
  };
  return [node, ...command.commands.flatMap((sub) => walk(sub, [...path, sub.name()]))];
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function optionsOf(command: Command): string[] {
  return command.options.map(({ long }) => long).filter((long) =>
    long !== undefined && long !== null
  );
}

function bash(name: string, nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, commands, options }) => {
    const words = [...commands.map(({ name }) => name), ...options].join(" ");
    return `    "${path.join(" ")}") words="${words}" ;;`;
  });
  return `_${name}() {
  local path="" word words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ $word == -* ]] && continue
    case " ${allPaths(nodes)} " in
      *"|$path\${path:+ }$word|"*) path="$path\${path:+ }$word" ;;
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name} ${name}
`;
}

function allPaths(nodes: readonly Node[]): string {
  return nodes.filter(({ path }) => path.length > 0).map(({ path }) => `|${path.join(" ")}|`)
    .join("");
}

function fish(program: string, nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const none = path.length === 0 ? ["__fish_use_subcommand"] : [];
    const others = commands.length === 0 || path.length === 0
      ? []
      : [`not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(" ")}`];
    const when = [...none, ...seen, ...others].join("; and ");
    const start = `complete -c ${program} -f -n '${when}'`;
    return [
      ...commands.map(({ name, description }) => `${start} -a ${name} -d '${quote(description)}'`),
      ...options.map((option) =>
        `complete -c ${program}${when === "" ? "" : ` -n '${when}'`} -l ${option.slice(2)}`
      ),
    ];
  });
  return `${lines.join("\n")}\n`;
}

function quote(text: string): string {
  return text.replaceAll("'", "\\'");
}
