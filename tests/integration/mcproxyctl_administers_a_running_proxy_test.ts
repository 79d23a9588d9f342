import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { Terminal } from "../support/terminal.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { ROOT } from "../support/module_graph.ts";
import { ctlCommandLine, runCtl, spawnCtl } from "../support/mcproxyctl.ts";

Deno.test("what was added is listed, exported, applied and removed", async () => {
  await using admin = await startAdmin();
  const { addr } = admin;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCtl(admin, args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  assert.match(
    await run("routes", "add", addr, "A.example.", "10.0.0.1:443"),
    /^added route .* a\.example \(l4\)/,
  );
  await run(
    "routes",
    "update",
    addr,
    "a.example",
    "--send-proxy-protocol",
    "--backend",
    "10.0.0.2:443",
  );
  await run("firewall", "add", "ip", "192.0.2.1", "--ttl", "1h", "--reason", "scans");
  await run("firewall", "rate-limit", "20", "10s");
  const [titles, row] = (await run("routes", "list")).split("\n");
  assert.match(titles ?? "", /^LISTENER +HOSTNAME +MODE +BACKEND +TLS +PROXY/);
  assert.match(row ?? "", /a\.example +l4 +10\.0\.0\.2:443 +no +yes/);
  const json = JSON.parse(await run("firewall", "list", "--json"));
  assert.deepEqual([json.rules[0].value, json.rate_limit.limit], ["192.0.2.1", 20]);
  const state = await run("export");
  const changed = state.replace("10.0.0.2", "10.0.0.3");
  const diff = await runCtl(admin, ["apply", "-f", "-", "--diff"], changed);
  assert.match(diff.stdout, /^~ route .* a\.example backend: 10\.0\.0\.2:443 → 10\.0\.0\.3:443/);
  assert.equal(await run("export"), state);
  const applied = await runCtl(admin, ["apply", "-f", "-"], changed);
  assert.match(applied.stdout, /applied 1 change, now at revision 5\n$/);
  assert.match((await runCtl(admin, ["apply", "-f", "-"], changed)).stdout, /^no difference\n$/);
  assert.match(
    await run("explain", "192.0.2.1", addr, "a.example"),
    /verdict: block: blocked \(scans\)/,
  );
  assert.match(await run("status"), /^health +ok\n/);
  await run("routes", "remove", addr, "a.example");
  await run("firewall", "remove", "--id", "1");
  assert.equal((await run("audit")).trim().split("\n").length, 1 + 7);
});

Deno.test("exit codes: 1 refused, 2 called wrongly, 3 not reachable; each with one line", async () => {
  await using admin = await startAdmin();
  const nowhere = { socketPath: join(admin.folder, "none.sock") };
  const cases = [
    [admin, ["routes", "remove", admin.addr, "none.example"], 1],
    [admin, ["routes", "add", admin.addr, "a b", "10.0.0.1:1"], 1],
    [admin, ["firewall", "add", "ip", "192.0.2.1", "--ttl", "soon"], 2],
    [admin, ["firewall", "remove"], 2],
    [admin, ["no-such-command"], 2],
    [nowhere, ["status"], 3],
  ] as const;
  const seen = new Set<number>();
  for (const [at, args, expected] of cases) {
    // Each code once from the program as it is installed.
    const run = seen.has(expected) ? runCtl : spawnCtl;
    seen.add(expected);
    const { code, stdout, stderr } = await run(at, args);
    assert.deepEqual([code, stdout], [expected, ""], `${args.join(" ")}: ${stderr}`);
    assert.doesNotMatch(stderr, /\n\s+at |Uncaught/, args.join(" "));
  }
  const wrong = await spawnCtl(admin, ["apply", "-f", "-"], { input: "[[listener]]" });
  assert.deepEqual([wrong.code, wrong.stderr], [
    2,
    "mcproxyctl: standard input:1:3: listener: unknown key; did you mean listeners?\n",
  ]);
});

for (const shell of ["bash", "zsh", "fish"]) {
  testWithCommands([shell], `the completions are a program that ${shell} accepts`, async () => {
    const { stdout } = await runCtl({ socketPath: "/none" }, ["completions", shell]);
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, stdout);
    const { code, stderr } = await runCommand(shell, ["-n", file]);
    assert.equal(code, 0, stderr);
    await Deno.remove(file);
  });
}

testWithCommands(
  ["bash"],
  "completions know the commands, their values and the live routes",
  async () => {
    await using admin = await startAdmin();
    const { addr } = admin;
    await admin.client.addRoute({
      listenerAddr: addr,
      hostname: "*.a.example",
      backend: "10.0.0.1:1",
    });
    using folder = temporaryFolder();
    const script = join(folder.path, "completions");
    await Deno.writeTextFile(script, (await runCtl(admin, ["completions", "bash"])).stdout);
    const command = [Deno.execPath(), ...ctlCommandLine(admin.socketPath, [])]
      .map((word) => `'${word}'`).join(" ");
    const complete = async (...words: string[]) => {
      const bash = `
      mcproxyctl() { ${command} "$@"; }
      source '${script}'
      COMP_WORDS=(mcproxyctl "$@"); COMP_CWORD=$#
      _mcproxyctl
      printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { code, stdout, stderr } = await runCommand("bash", ["-c", bash, "bash", ...words]);
      assert.deepEqual([code, stderr], [0, ""]);
      return stdout.split("\n").filter((word) => word !== "" && !word.startsWith("--"));
    };
    assert.deepEqual(await complete("fire"), ["firewall"]);
    assert.ok((await complete("routes", "")).includes("update"));
    assert.deepEqual(await complete("routes", "remove", "127"), [addr]);
    assert.deepEqual(await complete("routes", "remove", addr, ""), ["*.a.example"]);
    assert.deepEqual(await complete("connections", "list", "--route", ""), ["*.a.example"]);
    assert.deepEqual(await complete("routes", "add", addr, "b.example", "--mode", ""), [
      "l4",
      "l7",
      "mtls",
    ]);
    assert.deepEqual(await complete("clients", "--by", "r"), ["refused"]);
    assert.deepEqual(await complete("completions", ""), ["bash", "zsh", "fish"]);
    assert.deepEqual(await complete("val"), [], "what is for scripts is not offered");
  },
);

/** A program of the shell that runs this mcproxyctl, and a script of its completions. */
async function completionsOf(admin: AdminFixture, shell: string) {
  const folder = temporaryFolder();
  const script = join(folder.path, "completions");
  await Deno.writeTextFile(script, (await runCtl(admin, ["completions", shell])).stdout);
  const command = [Deno.execPath(), ...ctlCommandLine(admin.socketPath, [])]
    .map((word) => `'${word}'`).join(" ");
  return { script, command, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function startWithRoute(): Promise<AdminFixture> {
  const admin = await startAdmin();
  const [listenerAddr, backend] = [admin.addr, "10.0.0.1:1"];
  await admin.client.addRoute({ listenerAddr, hostname: "*.a.example", backend });
  return admin;
}

testWithCommands(["fish"], "fish completes commands, their values and live routes", async () => {
  await using admin = await startWithRoute();
  const { addr } = admin;
  using completions = await completionsOf(admin, "fish");
  const lines = [
    ...["fire", "routes remove 127", `routes remove ${addr} `, "connections list --route "],
    ...[`routes add ${addr} b.example --mode `, "clients --by r", "completions ", "firewall a"],
  ];
  const fish = `
    function mcproxyctl; ${completions.command} $argv; end
    source '${completions.script}'
    for line in ${lines.map((line) => `'${line}'`).join(" ")}
      complete -C "mcproxyctl $line" | string replace -r '\\t.*' '' | string match -v -- '--*'
      echo =
    end`;
  const { code, stdout, stderr } = await runCommand("fish", ["--no-config", "-c", fish]);
  assert.deepEqual([code, stderr], [0, ""]);
  const answers = stdout.split("=\n").slice(0, -1).map((answer) => answer.trim().split("\n"));
  assert.deepEqual(answers, [
    ...[["firewall"], [addr], ["*.a.example"], ["*.a.example"]],
    ...[["l4", "l7", "mtls"], ["refused"], ["bash", "fish", "zsh"], ["add", "allow"]],
  ]);
});

testWithCommands(["zsh"], "zsh completes commands, their values and live routes", async () => {
  await using admin = await startWithRoute();
  using completions = await completionsOf(admin, "zsh");
  // What is typed, and what the line becomes at a tab.
  const lines = [
    ["fire", "firewall"],
    ["routes remove 127", `routes remove ${admin.addr}`],
    ["clients --by r", "clients --by refused"],
    ["completions fi", "completions fish"],
  ];
  const probes = lines.map(([typed, line]) => `
    zpty -w -n z $'mcproxyctl ${typed}\t'
    zpty -r z seen '*mcproxyctl ${line}*'
    zpty -w -n z $'\x15'
    print '${line}'`);
  const rc = `
    mcproxyctl() { ${completions.command} "$@"; }
    PS1='> '
    fpath=('${dirname(completions.script)}' $fpath)
    autoload -U compinit
    compinit -u -D
    bindkey '^I' expand-or-complete
    print READY`;
  await Deno.writeTextFile(join(dirname(completions.script), ".zshrc"), rc);
  // Where an installation has it, to be loaded at the first tab.
  await Deno.rename(completions.script, join(dirname(completions.script), "_mcproxyctl"));
  const zsh = `
    zmodload zsh/zpty
    zpty z 'zsh -d -i'
    zpty -r z seen '*READY*'
    ${probes.join("")}
    zpty -d z`;
  const { code, stdout, stderr } = await runCommand("timeout", ["60", "zsh", "-f", "-c", zsh], {
    env: { ZDOTDIR: dirname(completions.script), TERM: "dumb" },
  });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(stdout.trim().split("\n"), lines.map(([, line]) => line));
});

testWithCommands(["bash"], "mc-proxy completes too", async () => {
  const config = ["--config", join(ROOT, "deno.json")];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), [
    ...["run", "--no-prompt", "--ignore-env", `--allow-read=${ROOT}`, ...config],
    ...[join(ROOT, "main.ts"), "completions", "bash"],
  ]);
  assert.equal(code, 0, stderr);
  const bash = `${stdout}\nCOMP_WORDS=(mc-proxy re); COMP_CWORD=1; _mc_proxy; echo "$COMPREPLY"`;
  assert.equal((await runCommand("bash", ["-c", bash])).stdout, "restore\n");
});

/** A terminal with `mcproxyctl top` in it. */
function topOf(socket: string, size?: readonly [columns: number, rows: number]): Promise<Terminal> {
  const words = [Deno.execPath(), ...ctlCommandLine(socket, ["top", "--interval", "200ms"])];
  return Terminal.start(words, size);
}

testWithCommands(["tmux"], "top fits 80×24 and gives the terminal back at Ctrl-C", async () => {
  await using admin = await startAdmin();
  await using terminal = await topOf(admin.socketPath);
  const screen = await terminal.shows(/BLOCKED BY/);
  assert.match(screen, /^mc-proxy 0\.0\.0-test +up .* healthy/);
  assert.match(screen, new RegExp(`^${admin.addr.replaceAll(".", "\\.")} +0 +0 +0 B +0 B$`, "m"));
  assert.ok(screen.split("\n").every((line) => line.length <= 80));
  await terminal.tmux("send-keys", "C-c");
  const after = await terminal.shows(/exit=0/);
  assert.doesNotMatch(after, /BLOCKED BY/);
});

testWithCommands(["tmux"], "top goes on over a restart of the proxy, also at 60×12", async () => {
  await using folder = temporaryFolder();
  const config = { folder: folder.path };
  const first = await startAdmin(config);
  await using terminal = await topOf(first.socketPath, [60, 12]);
  const screen = await terminal.shows(/^q quit {2}c r b clients by connections/m);
  assert.match(screen, /^LISTENER .*OPEN/m);
  await first[Symbol.asyncDispose]();
  await terminal.shows(/^the proxy does not answer, trying again/m);
  await using _second = await startAdmin(config);
  await terminal.shows(/^q quit/m);
  await terminal.tmux("send-keys", "r");
  await terminal.shows(/clients by refused/);
  await terminal.tmux("send-keys", "/none");
  await terminal.shows(/^filter: none_/m);
  await terminal.tmux("send-keys", "Escape");
  await terminal.shows(/^q quit/m);
  await terminal.tmux("send-keys", "q");
  const after = await terminal.shows(/exit=0/);
  assert.doesNotMatch(after, /LISTENER/);
});

testWithCommands(["tmux"], "top says when there is nobody to look at", async () => {
  await using terminal = await topOf("/tmp/mc-proxy-none.sock");
  assert.match(await terminal.shows(/exit=3/), /nobody answers on/);
});
