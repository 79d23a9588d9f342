/**
 * Programs that a test may need and a machine may lack.
 *
 * @module
 */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Where Debian keeps servers; often missing from the PATH of ordinary users. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/** The path of a program, or undefined when it is not installed. */
export function commandPath(name: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat(SYSTEM_FOLDERS);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Whether a program is installed. */
export function commandExists(name: string): boolean {
  return commandPath(name) !== undefined;
}

/**
 * Registers a test that needs programs; without them it is ignored and its name says why.
 */
export function testWithCommands(
  commands: readonly string[],
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const missing = commands.filter((command) => !commandExists(command));
  const reason = missing.length > 0 ? ` (ignored: no ${missing.join(", ")} here)` : "";
  Deno.test({ name: name + reason, ignore: missing.length > 0, fn });
}

/** Runs a program to its end. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = await new Deno.Command(commandPath(command) ?? command, {
    args: [...args],
    stdin: "null",
    ...options,
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
