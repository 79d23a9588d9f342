import assert from "node:assert/strict";
import type { Command } from "commander";
import { EXAMPLES } from "../../../lib/dns_ctl/examples.ts";
import { createProgram } from "../../../lib/dns_ctl/program.ts";
import { renderMcnsctlReference } from "../../../lib/dns_ctl/mod.ts";

const ran: string[] = [];
const host = {
  run: () => Promise.resolve(void ran.push("task")),
  version: "0.0.0-test",
};

/** The commands that do something, with their words; those for scripts are left out. */
function* leaves(command: Command, path: readonly string[]): Generator<[string, Command]> {
  for (const sub of command.commands) {
    const words = [...path, sub.name()];
    if (sub.commands.length > 0) yield* leaves(sub, words);
    else if (sub.name() !== "values") yield [words.join(" "), sub];
  }
}

Deno.test("the help of every command of mcnsctl shows the options of all and an example", () => {
  for (const [words, command] of leaves(createProgram(host), [])) {
    let help = "";
    command.configureOutput({ writeOut: (text) => help += text });
    command.outputHelp();
    assert.match(help, /Global Options:[^]*--socket <path>[^]*--timeout/, words);
    assert.match(help, new RegExp(`\nExample:\n  mcnsctl ${words}( |\n|$)`), words);
  }
});

Deno.test("every example of mcnsctl is a command that there is", async () => {
  for (const [words, example] of Object.entries(EXAMPLES)) {
    const [line = ""] = example.split(/ [<>]/);
    const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) =>
      quoted ?? bare ?? ""
    );
    ran.length = 0;
    const program = createProgram(host);
    // It needs nobody, and would print its script here.
    program.commands.find((it) => it.name() === "completions")
      ?.action(() => void ran.push("completions"));
    await program.parseAsync(args.slice(1), { from: "user" });
    assert.equal(ran.length, 1, words);
  }
  const known = [...leaves(createProgram(host), [])].map(([words]) => words);
  assert.deepEqual(Object.keys(EXAMPLES).sort(), known.sort());
});

Deno.test("docs/mcnsctl.md is that of the commands; `deno task reference` makes it so", async () => {
  const file = new URL("../../../docs/mcnsctl.md", import.meta.url);
  assert.equal(await Deno.readTextFile(file), renderMcnsctlReference());
});
