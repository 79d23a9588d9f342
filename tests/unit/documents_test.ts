import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DENO_VERSION } from "../../deploy/runtime.ts";
import { DEFAULT_PORT, demoCommands, demoPorts } from "../../dev/demo.ts";
import { runCommand } from "../support/commands.ts";
import { localLinks, shellCommands } from "../support/markdown.ts";
import { ROOT } from "../support/module_graph.ts";
import { repositoryFiles } from "../support/repository.ts";

const read = (file: string) => Deno.readTextFile(join(ROOT, file));

const manifest = JSON.parse(await read("deno.json")) as {
  tasks: Record<string, unknown>;
  imports: Record<string, string>;
};

const documents = (await repositoryFiles()).filter((file) => file.endsWith(".md"));

const DENO = `npx -y deno@${DENO_VERSION} `;

/** Programs of the host: nothing of ours to check. */
const SYSTEM_PROGRAMS = [
  "cp",
  "curl",
  "install",
  "journalctl",
  "kill",
  "openssl",
  "psql",
  "sudoedit",
  "sysctl",
  "systemctl",
];

/** What the documents' commands may be, and how each kind is checked. */
const KINDS: [pattern: RegExp, check: (...groups: string[]) => void | Promise<void>][] = [
  [/^npx -y deno@[0-9.]+ task (?:-q )?(\S+)(?: --\w+| [\w./]+)*$/, (task) => {
    assert.ok(task in manifest.tasks, `there is no task ${task}`);
  }],
  [
    /^(?:npx -y deno@[0-9.]+ task (?:-q )?|sudo )?(mcproxyctl [a-z]+(?: (?:add|list|remove|update))?)(?: .*)?$/,
    async (command) => {
      const reference = await read("docs/mcproxyctl.md");
      assert.ok(reference.includes(command), `the reference has no ${command}`);
    },
  ],
  [/^npx -y deno@[0-9.]+ task -q (mcnsctl [a-z]+) .*$/, async (command) => {
    const reference = await read("docs/mcnsctl.md");
    assert.ok(reference.includes(command), `the reference has no ${command}`);
  }],
  [/^npx -y deno@[0-9.]+ run -A (tools\/\S+\.ts)(?: .*)?$/, async (path) => {
    await Deno.stat(join(ROOT, path));
  }],
  [/^npx -y deno@[0-9.]+ run .*main\.ts (\w+) -c srv\/mc-proxy\.toml$/, isCommandOfMcProxy],
  [/^(?:sudo )?mc-proxy (\w+) -c \/srv\/mc-proxy\/mc-proxy\.toml$/, isCommandOfMcProxy],
  [/^mc-proxy (connector(?: import)?) (.*)$/, async (command = "", rest = "") => {
    const help = await helpOfMcProxy(command.split(" "));
    for (const [flag] of rest.matchAll(/--[a-z-]+/g)) {
      assert.ok(help.includes(`${flag} `), `${command} has no ${flag}`);
    }
  }],
  [/^sudo (deploy\/install\.sh) (\w+)(?: --\w+)*$/, async (script, command) => {
    const { stdout } = await runCommand(join(ROOT, script), ["help"]);
    assert.ok(stdout.includes(`${script} ${command}`), `install.sh has no command ${command}`);
  }],
  [/^((?:curl|openssl) .* srv\/ca\.pem .*|dig .*demo\.test A)$/, (command) => {
    const printed = demoCommands(demoPorts(DEFAULT_PORT), "srv").map(({ command }) => command);
    assert.ok(printed.includes(command), "the development server does not print it");
  }],
  [new RegExp(`^(?:sudo )?(?:${SYSTEM_PROGRAMS.join("|")}) .*$`), () => {}],
];

async function isCommandOfMcProxy(command: string): Promise<void> {
  assert.match(await helpOfMcProxy([]), new RegExp(`^ +${command}`, "m"));
}

async function helpOfMcProxy(command: readonly string[]): Promise<string> {
  const args = ["run", "--ignore-env", "--allow-read", join(ROOT, "main.ts"), ...command, "--help"];
  return (await runCommand(Deno.execPath(), args)).stdout;
}

for (const document of documents) {
  Deno.test(`every command in ${document} is one that exists`, async () => {
    for (const command of shellCommands(await read(document))) {
      const kind = KINDS.find(([pattern]) => pattern.test(command));
      assert.ok(kind, `no test knows how to check: ${command}`);
      const [pattern, check] = kind;
      await check(...pattern.exec(command)?.slice(1) ?? []);
    }
  });

  Deno.test(`every link in ${document} leads to a file`, async () => {
    const missing = localLinks(await read(document))
      .filter((target) => !existsSync(join(ROOT, dirname(document), target)));
    assert.deepEqual(missing, []);
  });
}

Deno.test("the README begins with the two commands", async () => {
  const [first, second] = shellCommands(await read("README.md"));
  assert.deepEqual([first, second], [`${DENO}task devserver`, `${DENO}task test`]);
});

Deno.test("the README says why each dependency is there, and names no other", async () => {
  const readme = await read("README.md");
  const table = /\n\| Dependency [\s\S]*?\n\n/.exec(readme)?.[0] ?? "";
  const rows = table.split("\n").map((row) => row.split("|")[1] ?? "");
  const named = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  const packages = named.filter((name) => !name?.startsWith("node:"));
  assert.deepEqual(packages.sort(), Object.keys(manifest.imports).sort());
});
