import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { History } from "../../lib/history/mod.ts";
import type { ConnectionEvent, LogRecord } from "../../lib/observe/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { type BehindBalancer, startBehindBalancer } from "../support/balancer.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const HISTORY = (folder: string) => `[history]\npath = "${join(folder, "history.db")}"\n`;

/** Somebody who is served, somebody who asks for what is not here, somebody who is blocked. */
async function yesterday(proxy: BehindBalancer, backend: string): Promise<void> {
  const { admin: { client }, addr, visit } = proxy;
  await client.addRoute({ listenerAddr: addr, hostname: "a.example", backend });
  await client.addFirewallRule({ type: "cidr", value: "198.51.100.0/24", reason: "scans" });
  assert.equal(await visit("203.0.113.9", "a.example"), "served");
  assert.equal(await visit("203.0.113.9", "a.example"), "served");
  for (let i = 0; i < 3; i++) await visit("203.0.113.10", "b.example");
  for (let i = 0; i < 4; i++) await visit("198.51.100.7", "a.example");
  const all = async () => {
    const { connections } = await client.queryHistory({});
    return connections.reduce((sum, { count }) => sum + Number(count), 0);
  };
  await eventually(async () => await all() === 9, "all of it is kept");
}

Deno.test("why was this client refused yesterday? one command says", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({ config: HISTORY });
  await yesterday(proxy, backend.address);
  const [titles, ...rows] = (await proxy.ctl("history", "--client", "198.51.100.7")).split("\n");
  assert.match(titles ?? "", /^TIME +CLIENT +LISTENER +NAME +OUTCOME +TIMES +IN +OUT +WHY$/);
  assert.match(
    rows[0] ?? "",
    /198\.51\.100\.7 .* blocked +[1-4] .* cidr 198\.51\.100\.0\/24 \(#1\)$/,
  );
  const refused = await proxy.ctl("history", "--outcome", "refused", "--sni", "b.example");
  assert.match(
    refused,
    /203\.0\.113\.10 +\S+ +b\.example +no_route +[1-3] .* no route for this name/,
  );
  assert.doesNotMatch(refused, /198\.51|203\.0\.113\.9 /);
  const served = await proxy.ctl("history", "--client", "203.0.113.0/24", "--outcome", "relayed");
  assert.equal(served.match(/ relayed +1 /g)?.length, 2);
  assert.match(
    await proxy.ctl("history", "--client", "192.0.2.1"),
    /^no connections\nkept since 20/,
  );
});

Deno.test("a rule is tried on those who came, before it is made", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({ config: HISTORY });
  await yesterday(proxy, backend.address);
  const tried = await proxy.ctl("firewall", "add", "cidr", "203.0.113.0/24", "--dry-run");
  assert.match(
    tried,
    /^would add the rule cidr 203\.0\.113\.0\/24\nof 3 clients since .*, 1 would have been refused and 0 let in\n/,
  );
  assert.match(tried, /^203\.0\.113\.9 +2 +2 .* a\.example +cidr 203\.0\.113\.0\/24$/m);
  const allowed = await proxy.ctl("firewall", "allow", "cidr", "198.51.100.0/24", "--dry-run");
  assert.match(allowed, /of 3 clients since .*, 0 would have been refused and 1 let in\n/);
  const { rules } = await proxy.admin.client.getFirewallRules({});
  assert.equal(rules.length, 1, "nothing has changed");
  assert.equal(await proxy.visit("203.0.113.9", "a.example"), "served");
});

Deno.test("a file is tried on those who came: whom it locks out and whom it lets in", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({ config: HISTORY });
  await yesterday(proxy, backend.address);
  const file = (await proxy.ctl("export")).replaceAll('"a.example"', '"b.example"')
    .replace("198.51.100.0/24", "192.0.2.0/24");
  const { code, stdout, stderr } = await runCtl(
    proxy.admin,
    ["apply", "-f", "-", "--diff", "--replay", "24h"],
    file,
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /of 3 clients since .*, 1 would have been refused and 2 let in/);
  assert.match(
    stdout,
    /^REFUSED [^]*^203\.0\.113\.9 +2 +2 .* a\.example +no route for a\.example$/m,
  );
  assert.match(
    stdout,
    /^LET IN [^]*^203\.0\.113\.10 +3 +0 .* b\.example +no route for b\.example$/m,
  );
  assert.match(stdout, /^198\.51\.100\.7 +4 +0 .* — +cidr 198\.51\.100\.0\/24$/m);
  const wrong = await runCtl(proxy.admin, ["apply", "-f", "-", "--replay", "24h"], file);
  assert.deepEqual([wrong.code, wrong.stderr], [2, "mcproxyctl: --replay needs --diff\n"]);
});

Deno.test("a list of who may use a route is tried too", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({ config: HISTORY });
  await yesterday(proxy, backend.address);
  const file = (await proxy.ctl("export")).replace(
    'hostname = "a.example"',
    'hostname = "a.example"\nallowed_ips = ["203.0.113.11"]',
  );
  const args = ["apply", "-f", "-", "--diff", "--replay", "24h"];
  const { code, stdout, stderr } = await runCtl(proxy.admin, args, file);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^203\.0\.113\.9 +2 +2 .* the route a\.example names others$/m);
});

Deno.test("the program keeps its history over a restart, with the permissions of an installation", async () => {
  await using folder = temporaryFolder();
  const port = await unusedPort();
  const config = (path: string) => ({
    listeners: [{ addr: `127.0.0.1:${port}` }],
    grpc: { addr: join(path, "mc-proxy.sock") },
    history: { path: join(path, "history.db"), days: 1, megabytes: 1 },
  });
  const refused = async () => {
    const { stdout, stderr } = await runCtl(
      { socketPath: join(folder.path, "mc-proxy.sock") },
      ["history", "--json"],
    );
    assert.equal(stderr, "");
    return JSON.parse(stdout).connections.map((it: { outcome: string }) => it.outcome);
  };
  {
    await using _proxy = await startProxy({ config, folder: folder.path });
    await using peer = await connectRaw({ port });
    peer.socket.write("GET / HTTP/1.1\r\n\r\n");
    assert.equal(await peer.ending, "reset");
    // Ended with the program, and not awaited by anybody.
  }
  await using _proxy = await startProxy({ config, folder: folder.path });
  assert.deepEqual(await refused(), ["hello_invalid"]);
});

Deno.test("a history that cannot be written is said to be, and stops nobody", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "history.db");
  const logs: LogRecord[] = [];
  let now = Date.parse("2026-06-01T00:00:00Z");
  await using history = await History.open({
    ...{ path, days: 1, megabytes: 1 },
    log: (record) => logs.push(record),
    now: () => now,
  });
  const event: ConnectionEvent = {
    ...{ id: "t-1", listener: ":443", peer: "192.0.2.1:1", client: "192.0.2.1:1" },
    ...{ outcome: "blocked", bytesIn: 0, bytesOut: 0, durationMs: 1 },
  };
  history.noteConnection(event);
  assert.equal((await history.find({ sinceMs: 0, limit: 9 })).connections.length, 1);
  using other = new DatabaseSync(path);
  other.exec("DROP TABLE connections");
  history.noteConnection(event);
  history.noteConnection(event);
  history.flush();
  await eventually(() => history.warnings.length === 2, "the warnings");
  assert.match(history.warnings[0] ?? "", /is not kept: no such table: connections/);
  assert.equal(
    history.warnings[1],
    "2 connections are missing in the history, of 2026-06-01T00:00:00Z to 2026-06-01T00:00:00Z",
  );
  assert.equal(history.missing, 2);
  assert.equal(logs.at(-1)?.message, "connections are missing in the history");
  now += 24 * 3_600_000 + 1;
  assert.equal(history.warnings.length, 1, "what is a day ago is nobody's warning any more");
  assert.equal(history.missing, 2);
});

Deno.test("a disk that does not keep up loses history, and holds nobody up", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "history.db");
  await using history = await History.open({ path, days: 1, megabytes: 1, log: () => {} });
  using other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE"); // As long as this lasts, nothing is written.
  for (let i = 0; i < 6; i++) {
    history.noteConnection({
      ...{ id: `t-${i}`, listener: ":443", peer: "192.0.2.1:1", client: `192.0.2.${i}:1` },
      ...{ outcome: "relayed", bytesIn: 0, bytesOut: 0, durationMs: 1 },
    });
    history.flush();
  }
  assert.equal(history.warnings.length, 1);
  assert.match(history.warnings[0] ?? "", /^2 connections are missing in the history, of 20.*Z$/);
  other.exec("ROLLBACK");
  const kept = (await history.find({ sinceMs: 0, limit: 9 })).connections;
  assert.deepEqual(kept.map(({ client }) => client), [3, 2, 1, 0].map((i) => `192.0.2.${i}`));
});
