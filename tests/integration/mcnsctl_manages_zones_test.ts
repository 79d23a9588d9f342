import assert from "node:assert/strict";
import { join } from "node:path";
import { mcnsctlFlags } from "../../deploy/runtime.ts";
import { createProgram } from "../../lib/dns_ctl/program.ts";
import { type GlobalOptions, Session } from "../../lib/dns_ctl/session.ts";
import { ADMIN_TOKEN, type McnsAdmin, startMcnsAdmin } from "../support/mcns_admin.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { Terminal } from "../support/terminal.ts";

const FILE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";

/** Runs commands in this process, with the options before them. */
function shell(...options: string[]) {
  return async (...args: string[]): Promise<string> => {
    let text = "";
    const program = createProgram({
      version: "0",
      run: async (task) => {
        const output = { write: (part: string) => void (text += part) };
        using session = new Session(program.opts<GlobalOptions>(), output);
        await task(session);
      },
    });
    await program.parseAsync([...options, ...args], { from: "user" });
    return text;
  };
}

async function fileOf(mcns: McnsAdmin, name: string, text: string): Promise<string> {
  const path = join(mcns.folder, name);
  await Deno.writeTextFile(path, text);
  return path;
}

Deno.test("mcnsctl does over the socket and over the network what the API can", async () => {
  await using mcns = await startMcnsAdmin({ recursion: (from) => `${from} would be refused` });
  const local = shell("--socket", mcns.socketPath, "--as", "kyle");
  const zone = await fileOf(mcns, "zone", FILE);
  assert.equal(
    await local("import", "example.net", zone),
    "made the zone example.net: 3 records (3 added, 0 removed, 0 changed), serial 7, version 1.7\n",
  );
  assert.match(
    await local("records", "add", "example.net", "www", "A", "192.0.2.7", "--ttl", "60"),
    /^added record 4: www\.example\.net\. 60 A 192\.0\.2\.7; serial 8, version 1\.8\n$/,
  );
  assert.match(
    await local("records", "list", "example.net", "--type", "A"),
    /4 +www\.example\.net\. +60 +A/,
  );
  assert.match(
    await local("records", "set", "example.net", "@", "MX", "10 a", "20 b"),
    /20 b\.example\.net\./,
  );
  assert.match(await local("records", "unset", "example.net", "@", "MX"), /^removed @ MX/);
  assert.match(
    await local("records", "replace", "example.net", "4", "w", "A", "192.0.2.8"),
    /w\.example/,
  );
  assert.match(
    await local("records", "remove", "example.net", "4"),
    /^removed record 4; serial 12/,
  );
  assert.match(await local("zones", "list"), /example\.net\. +12 +3 +1\.12/);
  assert.match(await local("export", "example.net"), /^example\.net\. 300 IN SOA .* 12 /);
  assert.match(await local("explain", "ns.example.net", "A"), /^ns\.example\.net A is answered\n/);
  assert.match(
    await local("explain", "a.example", "A", "192.0.2.1"),
    /192\.0\.2\.1 would be refused\n$/,
  );
  assert.match(await local("status"), /^mcns 1\.2\.3: healthy\n1 zones, 3 records/);
  assert.match(await local("audit", "--limit", "1"), /uid \d+ \(kyle\) +RemoveRecord/);
  assert.equal(await local("values", "zones"), "example.net.\n");

  const secret =
    (await local("tokens", "add", "ci", "write:example.net", "--ttl", "1h")).split("\n")[0];
  const token = await fileOf(mcns, "token", `${secret}\n`);
  const server = ["--server", `localhost:${mcns.ports.grpc}`, "--ca", mcns.caPath];
  const remote = shell(...server, "--token-file", token);
  assert.match(
    await remote("records", "add", "example.net", "x", "A", "192.0.2.9"),
    /^added record/,
  );
  await assert.rejects(remote("zones", "add", "b.example", "ns"), { code: "permission_denied" });
  await assert.rejects(
    shell(...server, "--token-file", token, "--if-version", "1.1")(
      "records",
      "remove",
      "example.net",
      "3",
    ),
    { code: "aborted" },
  );
  await assert.rejects(shell(...server)("zones", "list"), { code: "usage" });
  assert.match(await local("tokens", "list"), /ci +write:example\.net/);
  await local("tokens", "remove", "ci");
  await assert.rejects(remote("zones", "list"), { code: "unauthenticated" });
  const admin = await fileOf(mcns, "admin", ADMIN_TOKEN);
  const machine = shell(...server, "--token-file", admin, "--json");
  assert.equal(JSON.parse(await machine("zones", "list")).zones[0].name, "example.net.");
  assert.match(
    await local("zones", "add", "b.example", "ns"),
    /^added the zone b\.example: serial 1/,
  );
  assert.equal(await local("zones", "remove", "b.example"), "removed the zone b.example\n");
});

Deno.test("mcnsctl fails in one line, with the code that says why", async () => {
  await using mcns = await startMcnsAdmin();
  const run = async (...args: string[]) => {
    const entry = join(ROOT, "lib/cli/mcnsctl.ts");
    const config = ["--no-check", "--no-prompt", "-A", "--config", join(ROOT, "deno.json")];
    const { code, stderr } = await runCommand(Deno.execPath(), ["run", ...config, entry, ...args]);
    return [code, stderr];
  };
  const socket = ["--socket", mcns.socketPath];
  assert.deepEqual(await run(...socket, "records", "list", "none.example"), [
    1,
    "mcnsctl: the zone none.example. does not exist\n",
  ]);
  const [code, message] = await run("--socket", `${mcns.folder}/none.sock`, "status");
  assert.equal(code, 3);
  assert.match(String(message), /^mcnsctl: nobody answers on .*none\.sock/);
  assert.equal((await run("zonez"))[0], 2);
});

testWithCommands(
  ["tmux"],
  "mcnsctl top shows what is asked, and gives the terminal back",
  async () => {
    const count = { udp: 100 };
    await using mcns = await startMcnsAdmin({
      addresses: () => [{
        ...{ address: "192.0.2.53", state: "serving", restarts: 0 },
        counters: [{ name: "udp_messages", value: count.udp += 50 }],
      }],
    });
    const flags = ["run", ...mcnsctlFlags(mcns.socketPath), "--config", join(ROOT, "deno.json")];
    const program = [join(ROOT, "lib/cli/mcnsctl.ts"), "--socket", mcns.socketPath];
    const words = [Deno.execPath(), ...flags, ...program, "top", "--interval", "100ms"];
    await using terminal = await Terminal.start(words);
    const screen = await terminal.shows(/^192\.0\.2\.53 +serving +[1-9]\d* /m);
    assert.match(screen, /^mcns 1\.2\.3 +healthy/);
    await terminal.tmux("send-keys", "q");
    assert.doesNotMatch(await terminal.shows(/exit=0/), /ADDRESS/);
  },
);
