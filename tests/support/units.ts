/**
 * Reading systemd units and wrapper scripts.
 *
 * @module
 */

/** The words after `deno run` in a unit's `ExecStart` or a script's `exec`, over continued lines. */
export function denoArguments(text: string): string[] {
  const [, command = ""] = /^(?:ExecStart=|exec )\S+\/deno run ((?:.*\\\n)*.*)$/m.exec(text) ?? [];
  return command.replaceAll("\\\n", " ").split(/\s+/).filter((word) => word !== "");
}
