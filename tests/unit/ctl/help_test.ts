import assert from "node:assert/strict";
import type { Command } from "commander";
import { EXAMPLES } from "../../../lib/ctl/examples.ts";
import { BACKEND, ROUTE_PATH } from "../../../lib/state/mod.ts";
import { createProgram } from "../../../lib/ctl/program.ts";

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

Deno.test("the help of every command shows the options of all commands and an example", () => {
  for (const [words, command] of leaves(createProgram(host), [])) {
    let help = "";
    command.configureOutput({ writeOut: (text) => help += text });
    command.outputHelp();
    assert.match(help, /Global Options:[^]*--socket <path>[^]*--timeout/, words);
    assert.match(help, new RegExp(`\nExamples?:\n  mcproxyctl ${words}( |\n|$)`), words);
  }
});

Deno.test("a flag that takes a record says what it may say", () => {
  const [, add] = [...leaves(createProgram(host), [])].find(([words]) => words === "routes add") ??
    assert.fail("there is no `routes add`");
  const flag = (name: string) => add.options.find(({ long }) => long === name)?.description ?? "";
  for (const { key } of ROUTE_PATH.shape.fields.values()) {
    assert.match(flag("--paths"), new RegExp(`; keys: .*\\b${key}\\b`), key);
  }
  for (const { key } of BACKEND.shape.fields.values()) {
    assert.match(flag("--backends"), new RegExp(`; keys: .*\\b${key}\\b`), key);
  }
  let help = "";
  add.configureOutput({ writeOut: (text) => help += text });
  add.outputHelp();
  assert.match(help, /\nExamples:\n.*\n.* --paths prefix=\/v2,backend=10\.0\.0\.8:80\n/);
});

Deno.test("every example is a command that there is", async () => {
  const all = Object.entries(EXAMPLES).flatMap(([words, examples]) =>
    [examples].flat().map((example) => [words, example] as const)
  );
  for (const [words, example] of all) {
    const [line = ""] = example.split(" >");
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
