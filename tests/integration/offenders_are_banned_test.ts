import assert from "node:assert/strict";
import { AutoBans } from "../../lib/control/mod.ts";
import type { ConnectionEvent, LogRecord } from "../../lib/observe/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { type BehindBalancer, startBehindBalancer } from "../support/balancer.ts";
import { eventually } from "../support/deadline.ts";
import { connectHttp2, startHttpBackend, startL7 } from "../support/l7.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { configOf, problemsOf, withDatabase } from "../support/configs.ts";

const BAN = `[[ban]]
on = ["no_route", "hello_invalid"]
count = 3
within = "60s"
for = "1h"
`;

const ended = (client: string): ConnectionEvent => {
  const nobody = { id: "t-1", listener: ":443", peer: client, bytesIn: 0, bytesOut: 0 };
  return { ...nobody, client, outcome: "no_route", durationMs: 1 };
};

const rulesOf = async ({ admin }: BehindBalancer) =>
  (await admin.client.getFirewallRules({})).rules.map(({ type, value }) => `${type} ${value}`);

Deno.test("whoever goes on asking for names that are not here is banned, on record, for its time", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBehindBalancer({ config: BAN });
  const { admin, visit } = proxy;
  await admin.client.addRoute({
    listenerAddr: proxy.addr,
    hostname: "a.example",
    backend: backend.address,
  });
  assert.equal(await visit("203.0.113.9", "nothing.example"), "reset");
  assert.equal(await visit("203.0.113.9"), "reset");
  assert.equal(await visit("203.0.113.9", "a.example"), "served", "two are not three");
  assert.equal(await visit("203.0.113.9", "nothing.example"), "reset");
  // The rule is on record a moment before it is in effect.
  await eventually(async () => await visit("203.0.113.9", "a.example") === "reset", "the ban");
  assert.equal(await visit("203.0.113.10", "a.example"), "served", "nobody else is");

  const { rules } = await admin.client.getFirewallRules({});
  assert.deepEqual(
    rules.map(({ type, value, reason }) => [type, value, reason]),
    [["ip", "203.0.113.9", "auto: 3 × no_route, hello_invalid within 1m"]],
  );
  const left = Number(rules[0]?.expiresAt?.seconds ?? 0) - Date.now() / 1000;
  assert.ok(left > 3500 && left <= 3600, `${left} s are left`);
  const { entries } = await admin.client.getAuditLog({ limit: 1 });
  assert.deepEqual(entries.map(({ actor, action, subject }) => [actor, action, subject]), [
    ["auto", "Ban", "ip 203.0.113.9"],
  ]);
  assert.match(await proxy.ctl("explain", "203.0.113.9", proxy.addr, "a.example"), /auto: 3 ×/);
  await proxy.ctl("firewall", "remove", "ip", "203.0.113.9");
  assert.equal(await visit("203.0.113.9", "a.example"), "served", "an operator can take it back");
});

Deno.test("a customer with a whole IPv6 network is one source, and banned as one", async () => {
  await using proxy = await startBehindBalancer({ config: BAN });
  for (let i = 1; i <= 3; i++) await proxy.visit(`2001:db8:1:2::${i}`);
  await eventually(async () => (await rulesOf(proxy)).length === 1, "the ban");
  assert.deepEqual(await rulesOf(proxy), ["cidr 2001:db8:1:2::/64"]);
});

Deno.test("a ban is there after a restart, is no difference to a file, and ends on its own", async () => {
  await using folder = await temporaryFolder();
  const start = () => startBehindBalancer({ config: BAN, folder: folder.path });
  {
    await using proxy = await start();
    for (let i = 0; i < 3; i++) await proxy.visit("203.0.113.9");
    await eventually(async () => (await rulesOf(proxy)).length === 1, "the ban");
  }
  await using proxy = await start();
  assert.deepEqual(await rulesOf(proxy), ["ip 203.0.113.9"]);
  const rules = { rules: [{ type: "ip", value: "192.0.2.1" }] };
  const { differences } = await proxy.admin.client.apply({ state: { firewall: rules } });
  assert.deepEqual(differences.map(({ action, subject }) => [action, subject]), [
    ["add", "ip 192.0.2.1"],
  ]);
  assert.deepEqual(await rulesOf(proxy), ["ip 203.0.113.9", "ip 192.0.2.1"]);
});

Deno.test("a short ban ends on its own", async () => {
  await using proxy = await startBehindBalancer({ config: BAN.replace('"1h"', '"1s"') });
  for (let i = 0; i < 3; i++) await proxy.visit("203.0.113.9");
  const audited = async () => {
    const { entries } = await proxy.admin.client.getAuditLog({});
    return entries.map(({ action }) => action);
  };
  await eventually(async () => (await audited()).includes("Expire"), "the ban ends");
  assert.deepEqual(await rulesOf(proxy), []);
});

Deno.test("there are no more bans than there may be, and the log says so", async () => {
  await using admin = await startAdmin();
  const logs: LogRecord[] = [];
  const bans = new AutoBans({
    bans: [{ on: ["no_route"], count: 1, withinMs: 1000, forMs: 60_000 }],
    state: admin.control.state,
    expiry: { schedule: () => {} },
    isProtected: () => false,
    ipv6Prefix: 64,
    now: Date.now,
    log: (record) => logs.push(record),
    maxBans: 2,
  });
  for (let i = 1; i <= 4; i++) bans.noteConnection(ended(`203.0.113.${i}:40000`));
  // The warning comes before the rules.
  await eventually(() => logs.some(({ level }) => level === "warn"), "the warning");
  const rules = async () => (await admin.client.getFirewallRules({})).rules;
  await eventually(async () => (await rules()).length > 0, "the bans that there may be");
  assert.equal((await rules()).length, 2);
  const warning = logs.find(({ level }) => level === "warn");
  assert.deepEqual(warning?.fields, { count: 2, most: 2 });
  bans.close();
});

Deno.test("a request that a policy refuses counts, also without an access log", async () => {
  await using backend = await startHttpBackend("http1", (_request, response) => response.end("ok"));
  await using proxy = await startL7({
    backend: backend.address,
    policies: [{ id: 1, type: "block_user_agent", value: "scanner" }],
    settings: { l7: { h2Transport: "own", accessLog: false, refusedRequests: true } },
  });
  await using client = await connectHttp2({ port: proxy.port });
  assert.equal((await client.ask()).status, 200);
  assert.equal((await client.ask({ headers: { "user-agent": "scanner/1" } })).status, 403);
  assert.match((await proxy.request()).policy ?? "", /block_user_agent scanner/);
  assert.equal(proxy.requests.length, 1, "nothing is told of the others");
});

Deno.test("a load balancer is never banned for what comes through it", async () => {
  await using proxy = await startBehindBalancer({
    config: BAN.replace("no_route", "proxy_invalid"),
  });
  const { client } = proxy.admin;
  await client.addListener({
    addr: "127.0.0.1:0",
    proxyProtocol: true,
    trustedProxies: ["203.0.113.0/28"],
  });
  for (let i = 0; i < 6; i++) await proxy.visit("203.0.113.9");
  for (let i = 0; i < 3; i++) await proxy.visit("203.0.113.16");
  await eventually(async () => (await rulesOf(proxy)).length > 0, "the ban of somebody else");
  assert.deepEqual(await rulesOf(proxy), ["ip 203.0.113.16"]);
});

Deno.test("check says what a ban cannot be for", () => {
  const ban = (on: string) =>
    withDatabase(`[[ban]]\non = ["${on}"]\ncount = 1\nwithin = "1s"\nfor = "1s"\n`);
  assert.deepEqual(configOf(ban("no_route")).bans, [
    { on: ["no_route"], count: 1, withinMs: 1000, forMs: 1000 },
  ]);
  assert.match(problemsOf(ban("no_rout"))[0] ?? "", /did you mean no_route\?/);
  assert.match(problemsOf(ban("relayed"))[0] ?? "", /nobody is banned for it: one of no_route, /);
  assert.match(problemsOf(ban("no_route").replace("= 1\n", "= 0\n"))[0] ?? "", /ban\[0\]\.count/);
});

Deno.test("whom a rule allows is never banned", async () => {
  await using proxy = await startBehindBalancer({ config: BAN });
  await proxy.admin.client.addFirewallRule({
    action: "allow",
    type: "cidr",
    value: "203.0.113.0/28",
  });
  for (let i = 0; i < 4; i++) await proxy.visit("203.0.113.9");
  for (let i = 0; i < 3; i++) await proxy.visit("203.0.113.99");
  await eventually(async () => (await rulesOf(proxy)).length === 2, "the ban of somebody else");
  assert.deepEqual(await rulesOf(proxy), ["cidr 203.0.113.0/28", "ip 203.0.113.99"]);
});
