/**
 * A program that says the names of the tests that files register, as JSON, without running them: an
 * object with the names by file. The arguments are the files.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

let names: string[] = [];

/** Takes every form of `Deno.test()`. */
function register(...args: unknown[]): void {
  for (const arg of args) {
    if (typeof arg === "string") return void names.push(arg);
    const { name } = arg as { readonly name?: string };
    if (name !== undefined && name !== "") return void names.push(name);
  }
}

const forms = { only: register, ignore: register, each: () => register };
Object.defineProperty(Deno, "test", { value: Object.assign(register, forms) });

const byFile: Record<string, readonly string[]> = {};
for (const file of Deno.args) {
  names = [];
  await import(pathToFileURL(resolve(file)).href);
  byFile[file] = names;
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(byFile)));
Deno.exit(0);
