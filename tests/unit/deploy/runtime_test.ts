import assert from "node:assert/strict";
import { join } from "node:path";
import {
  clientFlags,
  DENO_VERSION,
  INSTALLED,
  MCNS_INSTALLED,
  mcnsctlFlags,
  mcnsFlags,
  serverFlags,
} from "../../../deploy/runtime.ts";
import { ROOT } from "../../support/module_graph.ts";
import { repositoryFiles } from "../../support/repository.ts";

interface Task {
  readonly command: string;
}

const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
  tasks: Record<string, Task | undefined>;
};

const VERSION_PATTERNS = [
  /deno@([0-9]+\.[0-9]+\.[0-9]+)/g,
  /\| Deno ([0-9]+\.[0-9]+\.[0-9]+)/g,
  /DENO_VERSION ?= ?"?([0-9]+\.[0-9]+\.[0-9]+)/g,
];

Deno.test("every file that names a version of Deno names the same one", async () => {
  const named = new Map<string, string[]>();
  for (const file of await repositoryFiles()) {
    const text = await Deno.readTextFile(join(ROOT, file));
    for (const [, version = ""] of VERSION_PATTERNS.flatMap((it) => [...text.matchAll(it)])) {
      named.set(version, [...named.get(version) ?? [], file]);
    }
  }
  assert.deepEqual([...named.keys()], [DENO_VERSION], JSON.stringify([...named]));
  const files = named.get(DENO_VERSION) ?? [];
  for (const file of ["README.md", ".ci/run"]) assert.ok(files.includes(file), file);
});

Deno.test("the server task runs under exactly the deployed flags", () => {
  const want = serverFlags({ source: ".", data: "srv" });
  assert.deepEqual(flagsOf("server", "run"), want);
});

Deno.test("the compile task bakes in the deployed flags, without reading any source", () => {
  const want = serverFlags(INSTALLED).map((flag) => flag.replace(`${INSTALLED.source},`, ""));
  const got = compiledFlags(0);
  assert.deepEqual(got.slice(0, want.length), want);
});

Deno.test("the compile task gives the client the socket of an installation, and nothing else", () => {
  const want = clientFlags(`${INSTALLED.data}/mc-proxy.sock`);
  assert.deepEqual(compiledFlags(1).slice(0, want.length), want);
});

Deno.test("the mcns task and the compiled name server run under exactly the deployed flags", () => {
  assert.deepEqual(flagsOf("mcns", "run"), mcnsFlags({ source: ".", data: "srv" }));
  const want = mcnsFlags(MCNS_INSTALLED)
    .map((flag) => flag.replace(`${MCNS_INSTALLED.source},`, ""));
  assert.deepEqual(compiledFlags(2).slice(0, want.length), want);
});

Deno.test("the mcnsctl task and the compiled client run under exactly the deployed flags", () => {
  assert.deepEqual(flagsOf("mcnsctl", "run"), mcnsctlFlags("srv/mcns.sock"));
  const want = mcnsctlFlags(`${MCNS_INSTALLED.data}/mcns.sock`);
  assert.deepEqual(compiledFlags(3).slice(0, want.length), want);
});

Deno.test("the name server may neither run programs, load libraries, nor fetch code", () => {
  for (const flag of mcnsFlags(MCNS_INSTALLED)) {
    assert.doesNotMatch(flag, /^(-A|--allow-(all|run|ffi|import|sys$))/);
  }
});

Deno.test("the server may neither run programs, load libraries, nor fetch code", () => {
  for (const flag of serverFlags(INSTALLED)) {
    assert.doesNotMatch(flag, /^(-A|--allow-(all|run|ffi|import|sys))/);
  }
});

Deno.test("continuous integration runs the test command of the README", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const script = await Deno.readTextFile(join(ROOT, ".ci/run"));
  const command = `npx -y deno@${DENO_VERSION} task test`;
  assert.ok(readme.includes(`\n${command}\n`));
  assert.ok(script.includes(`\n${command} `));
});

/** The options between `deno <command>` and the script of a task. */
function flagsOf(task: string, command: string, index = 0): string[] {
  const words = tasks[task]?.command.split(`deno ${command} `)[index + 1] ?? "";
  const options = words.split(" ");
  return options.slice(0, options.findIndex((word) => /\.[jt]s$/.test(word)));
}

/** Those of one of the two `deno compile`; a bundle is a checked script without configuration. */
function compiledFlags(index: number): string[] {
  const [config, check, ...flags] = flagsOf("compile", "compile", index);
  assert.deepEqual([config, check], ["--no-config", "--no-check"]);
  return flags;
}
