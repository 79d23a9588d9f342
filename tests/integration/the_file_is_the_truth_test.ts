import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { runCommand } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPortFamily } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type ConfigTree, Proxy, startProxy, writeConfig } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const APPLIED = "the configuration file was applied";
const NOT_APPLIED = "the configuration file was not applied";
const BAN = { type: "ip", value: "203.0.113.9", ttl: { seconds: 3600n, nanos: 0 } };

/** A folder with a configuration, in which a proxy is started again and again. */
class Site implements Disposable {
  readonly folder = temporaryFolder();
  readonly file = join(this.folder.path, "mc-proxy.toml");
  readonly socketPath = join(this.folder.path, "mc-proxy.sock");
  readonly client: AdminClient = createClient({ socketPath: this.socketPath });

  constructor(readonly port: number) {}

  static async create(): Promise<Site> {
    return new Site(await unusedPortFamily([1, 2]));
  }

  addr(i = 0): string {
    return `127.0.0.1:${this.port + i}`;
  }

  config(names: readonly string[], more: ConfigTree = {}): ConfigTree {
    const routes = names.map((hostname) => ({ hostname, backend: "192.0.2.1:443" }));
    return {
      state: { source: "file" },
      grpc: { addr: this.socketPath },
      server: { workers: 0 },
      listeners: [{ addr: this.addr(), routes }],
      ...more,
    };
  }

  start(config: ConfigTree): Promise<Proxy> {
    return startProxy({ folder: this.folder.path, config });
  }

  write(config: ConfigTree): Promise<string> {
    return writeConfig(this.folder.path, { config });
  }

  async routes(addr = this.addr()): Promise<string[]> {
    const { routes } = await this.client.listRoutes({ listenerAddr: addr });
    return routes.map(({ hostname }) => hostname);
  }

  async rules(): Promise<string[]> {
    const { rules } = await this.client.getFirewallRules({});
    return rules.map(({ type, value }) => `${type} ${value}`);
  }

  async check(): Promise<{ code: number; stdout: string; stderr: string }> {
    const line = proxyLine(this.folder.path, "check", "-c", this.file);
    return await runCommand(Deno.execPath(), line);
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.folder[Symbol.dispose]();
  }
}

function refusedFor(file: string) {
  return {
    code: "failed_precondition",
    message: `${file} says what is served (state.source = "file"): edit it, then ` +
      "`mcproxyctl reload`; here only blocks that end on their own are taken " +
      "(`mcproxyctl firewall add ... --ttl 1h`)",
  };
}

Deno.test("edit, check, reload: the file says what is served, and a ban outlives it", async () => {
  using site = await Site.create();
  const { client, socketPath } = site;
  {
    await using proxy = await site.start(site.config(["a.test"]));
    assert.equal(proxy.events("database seeded from the configuration").length, 1);
    await client.addFirewallRule(BAN);
    const refused = refusedFor(site.file);
    const [listenerAddr, hostname] = [site.addr(), "a.test"];
    const route = { hostname, backend: "192.0.2.2:443" };
    const policy = { type: "require_header", value: "x-a" };
    for (
      const change of [
        () => client.addRoute({ listenerAddr, hostname: "b.test", backend: "192.0.2.2:443" }),
        () => client.updateRoute({ listenerAddr, route }),
        () => client.removeRoute({ listenerAddr, hostname }),
        () => client.addListener({ addr: site.addr(1) }),
        () => client.updateListener({ listener: { addr: listenerAddr, maxConnections: 5 } }),
        () => client.addFirewallRule({ type: "ip", value: "192.0.2.77" }),
        () => client.addFirewallRule({ ...BAN, value: "192.0.2.78", action: "allow" }),
        () => client.setRateLimit({ rateLimit: { limit: 5, window: { seconds: 1n } } }),
        () => client.apply({ state: { firewall: { rules: [] }, listeners: undefined } }),
      ]
    ) await assert.rejects(change, refused, change.toString());
    // An l4 route has none, whoever asks.
    await assert.rejects(client.addL7Policy({ listenerAddr, hostname, policy }));
    assert.deepEqual(await site.routes(), ["a.test"]);

    await site.write(site.config(["a.test", "b.test"], {
      firewall: { blocked_cidrs: ["198.51.100.0/24"], rate_limit: 7, rate_window: "1m" },
      log: { level: "debug", format: "json" },
    }));
    const checked = await site.check();
    assert.equal(
      checked.stdout,
      `${site.file}: ok; 3 differences to what was applied last: a start, or ` +
        "`mcproxyctl reload`, makes it what is served\n",
    );
    const diff = await runCtl({ socketPath }, ["reload", "--diff"]);
    const differences = [
      `+ route ${site.addr()} b.test`,
      "+ firewall_rule cidr 198.51.100.0/24",
      "~ rate_limit rate_limit ",
      "3 differences",
    ];
    for (const line of differences) assert.ok(diff.stdout.includes(line), diff.stdout);
    assert.deepEqual(await site.routes(), ["a.test"], "which changes nothing");
    const done = await runCtl({ socketPath }, ["reload"]);
    assert.equal(done.code, 0, done.stderr);
    for (const line of differences) assert.ok(done.stdout.includes(line), done.stdout);
    assert.match(done.stdout, /mc-proxy\.toml is in effect, at revision \d+$/m);
    assert.match(done.stdout, /^not before a restart: log\.level$/m);
    assert.deepEqual(await site.routes(), ["a.test", "b.test"]);
    assert.deepEqual(await site.rules(), ["ip 203.0.113.9", "cidr 198.51.100.0/24"]);
    const { entries } = await client.getAuditLog({ limit: 3 });
    assert.deepEqual(entries.map(({ actor, action }) => `${actor} ${action}`), [
      ...Array(3).fill("file Reload"),
    ]);
    const { status } = await client.getStatus({});
    assert.deepEqual([status?.stateSource, status?.statePath], ["file", site.file]);
    assert.deepEqual([status?.healthy, status?.warnings], [true, []]);
    assert.equal(status?.firewall?.rateLimitSetAtRunTime, false);
    const shown = await runCtl({ socketPath }, ["status"]);
    assert.match(shown.stdout, /^state +the file .*mc-proxy\.toml, which `mcproxyctl reload` /m);
    // Again nothing: a ban is no drift.
    assert.equal((await client.reload({})).totalDifferences, 0);
    await assert.rejects(client.reload({ ifRevision: 1n }), { code: "aborted" });
    assert.equal((await site.check()).stdout, `${site.file}: ok; what is served this file says\n`);
  }
  await using proxy = await site.start(site.config(["c.test"]));
  assert.equal(proxy.events(APPLIED)[0]?.differences, 5);
  assert.deepEqual(await site.routes(), ["c.test"]);
  assert.deepEqual(await site.rules(), ["ip 203.0.113.9"], "and over a restart");
  const { entries } = await client.getAuditLog({ limit: 1 });
  assert.deepEqual([entries[0]?.actor, entries[0]?.action], ["file", "Start"]);
  const names = [...Deno.readDirSync(site.folder.path)].map(({ name }) => name);
  assert.ok(!names.some((name) => name.endsWith(".bak")), "nothing is copied but at the change");
  await client.removeFirewallRule({ type: "ip", value: "203.0.113.9" });
  assert.deepEqual(await site.rules(), [], "whoever made a ban may end it");
});

Deno.test("a file that does not hold changes nothing, and everybody is told", async () => {
  using site = await Site.create();
  const { client } = site;
  const config = site.config(["a.test"], { metrics: { addr: join(site.folder.path, "m.sock") } });
  {
    await using proxy = await site.start(config);
    const file = await Deno.readTextFile(site.file);
    await Deno.writeTextFile(site.file, `${file}\n[proxy]\nidle_timeout = "soon"\n[sever]\n`);
    const line = file.split("\n").length + 2;
    proxy.process.signal("SIGHUP");
    await eventually(() => proxy.events(NOT_APPLIED).length === 1, "it is in the log");
    const said = `${site.file}:${line}:1: proxy.idle_timeout: "soon" is not a duration such as ` +
      '"300ms", "5s", "2m" or "1h"';
    const unknown = `${site.file}:${line + 1}:2: sever: unknown key; did you mean server?`;
    assert.equal(proxy.events(NOT_APPLIED)[0]?.problems, `${said}\n${unknown}`);
    const refusal = `${site.file} was not applied: ${said} (and 1 more)`;
    const { status } = await client.getStatus({});
    assert.deepEqual([status?.healthy, status?.problem], [false, refusal]);
    const metrics = await runCommand("curl", [
      ...["-s", "--unix-socket", join(site.folder.path, "m.sock"), "http://x/metrics"],
    ]);
    assert.match(metrics.stdout, /^mc_proxy_reload_refused 1$/m);
    const asked = await runCtl(site, ["reload"]);
    assert.equal(asked.code, 1);
    assert.equal(asked.stderr, `mcproxyctl: ${said}\nmcproxyctl: ${unknown}\n`);
    assert.deepEqual(await site.routes(), ["a.test"]);

    // It holds, and does not fit: a port that somebody else has.
    using _taken = Deno.listen({ hostname: "127.0.0.1", port: site.port + 1 });
    const both = [...config.listeners as object[], { addr: site.addr(1) }];
    await site.write({ ...config, listeners: both, firewall: { blocked_ips: ["192.0.2.1"] } });
    const at = (await Deno.readTextFile(site.file)).split("\n")
      .findIndex((it) => it === `addr = "${site.addr(1)}"`) + 1;
    await assert.rejects(client.reload({}), {
      code: "failed_precondition",
      message: `${site.file}:${at}:1: listeners[1].addr: the port is in use by another program`,
    });
    assert.deepEqual(await site.rules(), [], "all of it or nothing");
    await Deno.writeTextFile(site.file, file);
    await client.reload({});
    assert.equal((await client.getStatus({})).status?.healthy, true, "and it is over");
  }
  await Deno.writeTextFile(site.file, "[[listeners]\n", { append: true });
  const line = proxyLine(site.folder.path, "server", "-c", site.file);
  const start = await runCommand(Deno.execPath(), line);
  assert.equal(start.code, 1);
  assert.match(start.stderr, /^mc-proxy: .*mc-proxy\.toml:\d+:\d+: not valid TOML: .*\n$/);
});

Deno.test("from the database to the file and back, nothing is lost unseen", async () => {
  using site = await Site.create();
  const { client, folder } = site;
  const database = { state: { source: "database" } };
  {
    await using _proxy = await site.start(site.config(["a.test"], database));
    const listenerAddr = site.addr();
    await client.addRoute({ listenerAddr, hostname: "run.test", backend: "192.0.2.3:443" });
    await client.addFirewallRule({ type: "ip", value: "192.0.2.77" });
    await client.addFirewallRule(BAN);
    await client.setRateLimit({ rateLimit: { limit: 5, window: { seconds: 1n } } });
  }
  const copies = () =>
    [...Deno.readDirSync(folder.path)].map(({ name }) => name)
      .filter((name) => name.includes(".before-file."));
  // One that cannot start has changed nothing.
  using taken = Deno.listen({ hostname: "127.0.0.1", port: site.port + 2 });
  const busy = { listeners: [{ addr: site.addr(2), routes: [] }] };
  await assert.rejects(site.start(site.config([], busy)));
  assert.deepEqual(copies(), []);
  taken.close();
  {
    await using proxy = await site.start(site.config(["a.test", "b.test"]));
    assert.deepEqual(await site.routes(), ["a.test", "b.test"]);
    assert.deepEqual(await site.rules(), ["ip 203.0.113.9"], "a ban stays");
    assert.equal((await client.getFirewallRules({})).rateLimit?.limit, 0);
    const [copy = "", ...others] = copies();
    assert.deepEqual(others, []);
    const said = proxy.events("database copied before the file replaces what it holds")[0];
    assert.equal(said?.copy, join(folder.path, copy));
    using before = new DatabaseSync(join(folder.path, copy), { readOnly: true });
    const names = before.prepare("SELECT hostname FROM routes ORDER BY id").all();
    assert.deepEqual(names.map(({ hostname }) => hostname), ["a.test", "run.test"]);
    const { entries } = await client.getAuditLog({ limit: 10 });
    const [last] = entries;
    assert.deepEqual([last?.actor, last?.subject, last?.before, last?.after], [
      ...["file", "state.source", '"database"', '"file"'],
    ]);
    assert.ok(
      entries.some(({ actor, subject, after }) =>
        actor === "file" && subject === `${site.addr()} run.test` && after === ""
      ),
    );
  }
  await using proxy = await site.start(site.config(["a.test"], database));
  assert.equal(
    proxy.events("the database is the truth again, and holds what the file said last").length,
    1,
  );
  assert.deepEqual(await site.routes(), ["a.test", "b.test"]);
  await client.removeRoute({ listenerAddr: site.addr(), hostname: "b.test" });
  const { status } = await client.getStatus({});
  assert.equal(status?.stateSource, "database");
  assert.equal((await client.getAuditLog({ limit: 2 })).entries[1]?.after, '"database"');
  await assert.rejects(client.reload({ dryRun: true }), { code: "failed_precondition" });
  const { stdout } = await runCtl(site, ["reload"]);
  assert.match(stdout, /^read again: certificates and GeoIP; what is served the database says$/m);
});

Deno.test("a process that takes over serves the file as it is then, and one that fails leaves it as it was", async () => {
  using site = await Site.create();
  const { client, folder } = site;
  await using before = await site.start(site.config(["a.test"]));
  await client.addFirewallRule(BAN);
  // It cannot serve: somebody has the port.
  const taken = Deno.listen({ hostname: "127.0.0.1", port: site.port + 1 });
  const both = site.config([], {
    listeners: [{ addr: site.addr() }, { addr: site.addr(1) }],
    metrics: { addr: site.addr(1) },
  });
  await assert.rejects(startProxy({ folder: folder.path, config: both, takeOver: true }));
  taken.close();
  await eventually(async () => (await site.routes()).length === 1, "the old one goes on");
  assert.deepEqual(await site.rules(), ["ip 203.0.113.9"]);
  // Neither had the file: what is there now the old one applies, when it is asked to.
  await site.write(site.config(["a.test", "b.test"]));
  await eventually(
    async () => (await client.reload({}).catch(() => undefined))?.totalDifferences === 1,
    "changes are taken again",
  );
  await using after = await startProxy({
    folder: folder.path,
    config: site.config(["c.test"]),
    takeOver: true,
  });
  assert.equal(await before.stop(), 0);
  assert.equal(after.events(APPLIED).length, 1);
  assert.deepEqual(await site.routes(), ["c.test"]);
  assert.deepEqual(await site.rules(), ["ip 203.0.113.9"]);
});
