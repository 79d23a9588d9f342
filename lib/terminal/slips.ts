import type { Command } from "commander";
import { suggest } from "../schema/mod.ts";

/**
 * An option that a command needs. Unlike commander's own, it is missed only after everything unknown was
 * named: of `--confg a.toml` the slip is what there is to say.
 */
export function addRequiredOption(command: Command, flags: string, about: string): Command {
  command.option(flags, about);
  const option = command.options.at(-1);
  return command.hook("preAction", () => {
    if (option === undefined || command.getOptionValue(option.attributeName()) !== undefined) {
      return;
    }
    command.error(`error: required option '${flags}' not specified`, {
      code: "commander.missingMandatoryOptionValue",
    });
  });
}

/**
 * What was probably meant with a word behind a command that takes none, but has commands of its own, as
 * in `connections lst`.
 */
export function nearCommand(program: Command, args: readonly string[]): string | undefined {
  let command = program;
  const words = args.values();
  for (const word of words) {
    const option = program.options.find((it) => it.short === word || it.long === word);
    if (option !== undefined) {
      // What follows is its value.
      if (option.required) words.next();
      continue;
    }
    const next = command.commands.find((it) => it.name() === word);
    if (next !== undefined) {
      command = next;
      continue;
    }
    if (command.commands.length === 0 || word.startsWith("-")) return undefined;
    if (command !== program) return suggest(word, command.commands.map((it) => it.name()));
  }
  return undefined;
}
