import type { Argument, Command, Option } from "commander";
import { wrapProse } from "../schema/mod.ts";

/** The document of a program's commands: an introduction, the options of all, each command. */
export function renderCommands(program: Command, introduction: string): string {
  const sections = [
    introduction,
    "## Options of every command\n",
    `${program.options.map(optionLine).join("\n")}\n`,
    "## Commands\n",
    ...program.createHelp().visibleCommands(program)
      .filter((command) => command.name() !== "help")
      .flatMap((command) => commandSections(command, [program.name()])),
  ];
  return sections.join("\n");
}

function commandSections(command: Command, parents: readonly string[]): string[] {
  const path = [...parents, command.name()];
  if (command.commands.length > 0) {
    return command.commands.flatMap((sub) => commandSections(sub, path));
  }
  const words = [...path, ...command.registeredArguments.map(argumentWord)];
  const lines = [
    ...command.registeredArguments.map((it) => `- \`${argumentWord(it)}\`: ${it.description}`),
    ...command.options.map(optionLine),
  ];
  const list = lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
  return [`### \`${words.join(" ")}\`\n\n${sentence(command.description())}\n${list}`];
}

function argumentWord(argument: Argument): string {
  const name = argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionLine(
  { flags, description, argChoices, defaultValue, defaultValueDescription }: Option,
) {
  const choices = argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
  const shown = defaultValueDescription ?? (Array.isArray(defaultValue) ? undefined : defaultValue);
  const fallback = shown === undefined || typeof shown === "boolean" ? "" : ` (default: ${shown})`;
  return wrapProse(`- \`${flags}\`: ${description}${choices}${fallback}`, "  ");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
