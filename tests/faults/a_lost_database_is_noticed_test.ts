import assert from "node:assert/strict";
import { join } from "node:path";
import { ProxyStartError } from "../../dev/proxy_process.ts";
import { createClient } from "../../lib/client/mod.ts";
import { runCommand } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** A folder with a configuration, and the proxies that a test starts in it. */
class Installation implements AsyncDisposable {
  constructor(readonly folder: string, readonly listener: string) {}

  static async make(): Promise<Installation> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mc-proxy-test-" }));
    return new Installation(folder, `127.0.0.1:${await unusedPort()}`);
  }

  get database(): string {
    return join(this.folder, "mc-proxy.db");
  }

  get socketPath(): string {
    return join(this.folder, "admin.sock");
  }

  start(): Promise<Proxy> {
    const config = {
      grpc: { addr: this.socketPath },
      listeners: [{ addr: this.listener, routes: [{ hostname: "seed.test", backend: "x:1" }] }],
    };
    return startProxy({ folder: this.folder, config });
  }

  client() {
    return createClient({ socketPath: this.socketPath });
  }

  /** Adds routes, each acknowledged. */
  async addRoutes(...hostnames: string[]): Promise<void> {
    using client = this.client();
    for (const hostname of hostnames) {
      await client.addRoute({ listenerAddr: this.listener, hostname, backend: "x:1" });
    }
  }

  async hostnames(): Promise<string[]> {
    using client = this.client();
    const { routes } = await client.listRoutes({ listenerAddr: this.listener });
    return routes.map(({ hostname }) => hostname);
  }

  /** Runs a command of mc-proxy that needs no server. */
  async run(...args: string[]) {
    const config = join(this.folder, "mc-proxy.toml");
    const [command = "", ...rest] = args;
    const line = proxyLine(this.folder, command, "-c", config, ...rest);
    return await runCommand(Deno.execPath(), line, { env: { NO_COLOR: "1" } });
  }

  removeDatabase(): void {
    for (const suffix of ["", "-wal", "-shm"]) {
      try {
        Deno.removeSync(this.database + suffix);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** What `cp something mc-proxy.db` does: the same file with other content. */
function overwrite(path: string): void {
  Deno.writeFileSync(path, Deno.readFileSync(path).fill(0, 4096));
}

/** The change is refused, the proxy says why, and it is not healthy. */
async function refusesChanges(installation: Installation, why: RegExp): Promise<void> {
  using client = installation.client();
  const change = { listenerAddr: installation.listener, hostname: "void.test", backend: "x:1" };
  await assert.rejects(client.addRoute(change), (error: Error & { code?: string }) => {
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, why);
    return true;
  });
  await eventually(async () => !await client.healthy(), "the proxy is not healthy");
  assert.match((await client.getStatus({})).status?.problem ?? "", why);
}

const SERVED = ["a.test", "b.test", "seed.test"];

Deno.test("a database that is deleted while the proxy runs is noticed and written back", async () => {
  await using installation = await Installation.make();
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test", "b.test");
    installation.removeDatabase();
    await refusesChanges(installation, /was removed while the program runs/);
    assert.deepEqual(await installation.hostnames(), SERVED, "and goes on serving");
    using client = installation.client();
    const written = await client.writeBack({});
    assert.deepEqual([written.path, written.aside], [installation.database, ""]);
    await eventually(() => client.healthy(), "healthy again");
    await installation.addRoutes("c.test");
    await assert.rejects(client.writeBack({}), /is in its place/);
  }
  await using _next = await installation.start();
  assert.deepEqual(await installation.hostnames(), ["a.test", "b.test", "c.test", "seed.test"]);
  using client = installation.client();
  const { entries } = await client.getAuditLog({});
  assert.equal(entries.length, 3, "the audit log came back too");
});

Deno.test("its log alone, deleted while the proxy runs, is noticed too", async () => {
  await using installation = await Installation.make();
  await using _proxy = await installation.start();
  await installation.addRoutes("a.test", "b.test");
  Deno.removeSync(`${installation.database}-wal`);
  await refusesChanges(installation, /was removed while the program runs/);
  using client = installation.client();
  await client.writeBack({});
  await installation.addRoutes("c.test");
});

Deno.test("a database that is replaced while the proxy runs is moved aside by writing back", async () => {
  await using installation = await Installation.make();
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test");
    using client = installation.client();
    await client.snapshot({ path: join(installation.folder, "older.db") });
    await installation.addRoutes("b.test");
    Deno.renameSync(join(installation.folder, "older.db"), installation.database);
    await refusesChanges(installation, /was replaced while the program runs/);
    const { aside } = await client.writeBack({});
    assert.ok(aside.startsWith(installation.database), aside);
    Deno.statSync(aside);
  }
  await using _next = await installation.start();
  assert.deepEqual(await installation.hostnames(), SERVED);
});

Deno.test("a database that is overwritten in place is noticed, and written back or said to be gone", async () => {
  await using installation = await Installation.make();
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test", "b.test");
    overwrite(installation.database);
    await refusesChanges(installation, /was replaced while the program runs/);
    assert.deepEqual(await installation.hostnames(), SERVED, "and goes on serving");
    using client = installation.client();
    // What of the file SQLite still remembers is its own affair: all of it is written back, or nothing.
    const refusal = await client.writeBack({}).then(() => undefined, (error) => error);
    if (refusal !== undefined) {
      assert.equal(refusal.code, "failed_precondition");
      assert.match(refusal.message, /was overwritten, so nothing is left .*: restore a snapshot$/);
      assert.deepEqual(await installation.hostnames(), SERVED, "and still goes on serving");
      await refusesChanges(installation, /was replaced while the program runs/);
      return;
    }
    await installation.addRoutes("c.test");
  }
  await using _next = await installation.start();
  assert.deepEqual(await installation.hostnames(), ["a.test", "b.test", "c.test", "seed.test"]);
});

Deno.test("a database that is damaged is restored from the snapshot that the start names", async () => {
  await using installation = await Installation.make();
  const snapshot = `${installation.database}.20260101T000000Z.bak`;
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test");
    using client = installation.client();
    await client.snapshot({ path: snapshot });
    await installation.addRoutes("b.test");
  }
  overwrite(installation.database);
  await assert.rejects(installation.start(), (error: Error) => {
    assert.ok(error instanceof ProxyStartError);
    assert.match(error.message, /mc-proxy restore --from .*20260101T000000Z\.bak \(revision 1\)/);
    return true;
  });
  const { code, stdout, stderr } = await installation.run("restore", "--from", snapshot);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /revision 1, 1 listeners, 2 routes, 0 firewall rules; .* is .*\.aside/);
  await using _next = await installation.start();
  assert.deepEqual(await installation.hostnames(), ["a.test", "seed.test"]);
});

Deno.test("a start without the database is refused, and nothing is seeded anew", async () => {
  await using installation = await Installation.make();
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test");
  }
  installation.removeDatabase();
  for (let i = 0; i < 2; i++) {
    await assert.rejects(
      installation.start(),
      /the file is gone, and .* says that revision 1 was acknowledged; no snapshot was found/,
    );
  }
  const { code, stderr } = await installation.run("restore", "--as-it-is");
  assert.equal(code, 1);
  assert.match(stderr, /the file does not exist/);
});

Deno.test("an edit by hand is refused until it is accepted", async () => {
  await using installation = await Installation.make();
  {
    await using _proxy = await installation.start();
    await installation.addRoutes("a.test");
  }
  const edit = `import { DatabaseSync } from "node:sqlite";
    new DatabaseSync(Deno.args[0]).exec("UPDATE routes SET hostname = 'b.test' WHERE hostname = 'a.test'");`;
  const { code } = await runCommand(Deno.execPath(), [
    ...["eval", "--ext=ts", edit, installation.database],
  ]);
  assert.equal(code, 0);
  await assert.rejects(installation.start(), /is not what this program wrote/);
  const accepted = await installation.run("restore", "--as-it-is");
  assert.equal(accepted.code, 0, accepted.stderr);
  await using proxy = await installation.start();
  assert.deepEqual(await installation.hostnames(), ["b.test", "seed.test"]);
  const refused = await installation.run("restore", "--as-it-is");
  assert.match(refused.stderr, /a proxy answers on .*: stop it first/);
  assert.equal(await proxy.stop(), 0);
});
