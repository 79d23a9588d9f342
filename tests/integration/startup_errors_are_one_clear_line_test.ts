import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { acceptDatabase } from "../../lib/db/mod.ts";
import { runCommand } from "../support/commands.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type ConfigTree, startProxy, writeConfig } from "../support/proxy.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the program under the deployed flags, to its end. */
async function mcProxy(folder: string, ...args: string[]) {
  return await runCommand(Deno.execPath(), proxyLine(folder, ...args));
}

async function failingStart(folder: string, config: ConfigTree): Promise<string> {
  const path = await writeConfig(folder, { config });
  const { code, stdout, stderr } = await mcProxy(folder, "server", "-c", path);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  return lastLine(stderr);
}

/** What is printed last; log lines may come before it, a stack trace may not. */
function lastLine(stderr: string): string {
  assert.doesNotMatch(stderr, /^\s+at /m);
  const lines = stderr.trimEnd().split("\n");
  return lines.at(-1) ?? "";
}

Deno.test("a port in use is named with its address", async () => {
  await withFolder(async (folder) => {
    const port = await unusedPort();
    const blocker = createServer().listen(port, "127.0.0.1");
    await once(blocker, "listening");
    try {
      const line = await failingStart(folder, { listeners: [{ addr: `127.0.0.1:${port}` }] });
      assert.match(line, new RegExp(`^mc-proxy: .*127\\.0\\.0\\.1:${port}.*in use`));
    } finally {
      blocker.close();
      await once(blocker, "close");
    }
  });
});

/** Takes a port for as long as `use` runs. */
async function withBusyPort(use: (port: number) => Promise<void>): Promise<void> {
  const port = await unusedPort();
  const blocker = createServer().listen(port, "127.0.0.1");
  await once(blocker, "listening");
  try {
    await use(port);
  } finally {
    blocker.close();
    await once(blocker, "close");
  }
}

/** How many rows of state the database in a folder holds. */
function storedRows(folder: string): number {
  using db = new DatabaseSync(join(folder, "mc-proxy.db"));
  const tables = ["listeners", "routes", "firewall_rules", "seeded"];
  const counts = tables.map((table) =>
    Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n)
  );
  return counts.reduce((sum, n) => sum + n, 0);
}

Deno.test("a first start on a busy port leaves nothing behind", async () => {
  await withFolder(async (folder) => {
    await withBusyPort(async (port) => {
      const route = { hostname: "wrong.test", backend: "192.0.2.1:443" };
      const listeners = [{ addr: `127.0.0.1:${port}`, routes: [route] }];
      await failingStart(folder, { listeners, firewall: { blocked_ips: ["192.0.2.9"] } });
    });
    assert.equal(storedRows(folder), 0);
    const route = { hostname: "right.test", backend: "192.0.2.2:443" };
    const config = { listeners: [{ addr: "127.0.0.1:0", routes: [route] }] };
    await using proxy = await startProxy({ folder, config });
    assert.equal(proxy.events("listening")[0]?.routes, 1);
    assert.equal(proxy.events("database seeded from the configuration").length, 1);
    using db = new DatabaseSync(join(folder, "mc-proxy.db"), { readOnly: true });
    assert.deepEqual(db.prepare("SELECT hostname FROM routes").all().map((row) => row.hostname), [
      "right.test",
    ]);
  });
});

Deno.test("a first start that cannot open its metrics or its admin API leaves nothing behind", async () => {
  await withFolder(async (folder) => {
    const listeners = [{ addr: "127.0.0.1:0" }];
    await withBusyPort(async (port) => {
      const metrics = { addr: `127.0.0.1:${port}` };
      assert.match(await failingStart(folder, { listeners, metrics }), /in use/);
    });
    assert.equal(storedRows(folder), 0);
    const grpc = { addr: join(folder, "mc-proxy.toml") };
    await failingStart(folder, { listeners, grpc });
    assert.equal(storedRows(folder), 0);
  });
});

Deno.test("a second proxy does not share the first one's port, unless it is told to", async () => {
  await using first = await startProxy({
    config: { listeners: [{ addr: "127.0.0.1:0" }], server: { workers: 2 } },
  });
  const addr = `127.0.0.1:${first.port()}`;
  await withFolder(async (folder) => {
    const line = await failingStart(folder, { listeners: [{ addr }] });
    assert.match(line, new RegExp(`^mc-proxy: .*${addr}.*in use`));
  });
  await using second = await startProxy({ config: { listeners: [{ addr }] }, takeOver: true });
  assert.equal(second.port(), first.port());
});

Deno.test("a second proxy does not write what the first one does, nor is it restored under it", async () => {
  await withFolder(async (folder) => {
    // No port in common, and no admin socket.
    const config = { listeners: [{ addr: "127.0.0.1:0" }] };
    const stopFirst = /^mc-proxy: (another|a) process serves the database .*: stop it first/;
    await using _first = await startProxy({ folder, config });
    assert.match(await failingStart(folder, config), stopFirst);
    const restore = ["restore", "-c", await writeConfig(folder, { config }), "--as-it-is"];
    const { code, stderr } = await mcProxy(folder, ...restore);
    assert.equal(code, 1);
    assert.match(stderr, stopFirst);
  });
});

Deno.test("a folder that is missing is named", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "absent", "mc-proxy.db");
    const line = await failingStart(folder, { database: { path } });
    assert.match(line, /^mc-proxy: .*absent.*does not exist/);
  });
});

Deno.test("a database newer than the program is refused", async () => {
  await withFolder(async (folder) => {
    const good = await writeConfig(folder, { config: {} });
    const { code } = await mcProxy(folder, "check", "-c", good);
    assert.equal(code, 0);
    const db = new DatabaseSync(join(folder, "mc-proxy.db"));
    db.exec("CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT)");
    db.exec("INSERT INTO schema_migrations VALUES (1, ''), (9999, '')");
    db.close();
    assert.match(await failingStart(folder, {}), /^mc-proxy: .*9999/);
  });
});

Deno.test("a row that does not parse is named", async () => {
  await withFolder(async (folder) => {
    const db = new DatabaseSync(join(folder, "mc-proxy.db"));
    db.exec(`
      CREATE TABLE listeners (id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE);
      CREATE TABLE routes (id INTEGER PRIMARY KEY, listener_id INTEGER NOT NULL
        REFERENCES listeners(id) ON DELETE CASCADE, hostname TEXT NOT NULL, backend TEXT NOT NULL,
        UNIQUE(listener_id, hostname));
      CREATE TABLE firewall_rules (id INTEGER PRIMARY KEY,
        type TEXT NOT NULL CHECK(type IN ('ip','cidr','country')), value TEXT NOT NULL,
        UNIQUE(type, value));
      CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);
      INSERT INTO schema_migrations VALUES (1, '');
      INSERT INTO listeners VALUES (1, '127.0.0.1:0');
      INSERT INTO routes VALUES (1, 1, 'a.test', '192.0.2.1:443'), (2, 1, 'A.TEST', '192.0.2.2:443');
      INSERT INTO firewall_rules VALUES (7, 'cidr', '10.0.0.1/8');
    `);
    assert.match(
      await failingStart(folder, {}),
      /^mc-proxy: database: route 2 \("a\.test"\): repeats the route 1$/,
    );
    db.exec("DELETE FROM routes");
    db.close();
    // An edit by hand is not what was acknowledged, until somebody says that it is.
    assert.match(await failingStart(folder, {}), /^mc-proxy: .*mc-proxy restore --as-it-is$/);
    acceptDatabase(join(folder, "mc-proxy.db"));
    assert.match(
      await failingStart(folder, {}),
      /^mc-proxy: .*rule 7 \(cidr 10\.0\.0\.1\/8\): host bits/,
    );
  });
});

Deno.test("a misspelt key is named with its place and what was meant", async () => {
  await withFolder(async (folder) => {
    const line = await failingStart(folder, { proxy: { conect_timeout: "5s" } });
    assert.match(line, /^mc-proxy: .*mc-proxy\.toml:\d+:\d+: .*connect_timeout/);
  });
});

Deno.test("a file that is not TOML, and one that is not there, are named", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "mc-proxy.toml");
    const absent = await mcProxy(folder, "server", "-c", path);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /^mc-proxy: .*mc-proxy\.toml: there is no such file\n$/);
    await Deno.writeTextFile(path, "[database\n");
    for (const command of ["server", "check"]) {
      const broken = await mcProxy(folder, command, "-c", path);
      assert.equal(broken.code, 1);
      assert.match(broken.stderr, /^mc-proxy: .*mc-proxy\.toml:\d+:\d+: not valid TOML: .*\n$/);
    }
  });
});

Deno.test("check changes nothing, and names every problem at once", async () => {
  await withFolder(async (folder) => {
    const config = { proxy: { idle_timeout: "soon" }, log: { level: "loud" } };
    const path = await writeConfig(folder, { config });
    const { code, stderr } = await mcProxy(folder, "check", "-c", path);
    assert.equal(code, 1);
    assert.match(stderr, /idle_timeout/);
    assert.match(stderr, /log\.level/);
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    assert.deepEqual(names, ["mc-proxy.toml"]);
  });
});

Deno.test("a wrong call ends with 2, help and version with 0", async () => {
  await withFolder(async (folder) => {
    for (const args of [["serve"], ["server"], ["server", "--frobnicate"], ["check"]]) {
      const { code, stderr } = await mcProxy(folder, ...args);
      assert.equal(code, 2, args.join(" "));
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
    const version = await mcProxy(folder, "--version");
    assert.deepEqual([version.code, version.stderr], [0, ""]);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    const help = await mcProxy(folder, "--help");
    assert.equal(help.code, 0);
    for (const command of ["server", "check", "snapshot"]) {
      assert.match(help.stdout, new RegExp(`^ +${command}`, "m"));
    }
  });
});

Deno.test({
  name: "an output that cannot be written is one line too (needs /dev/full)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withFolder(async (folder) => {
      const path = await writeConfig(folder, { config: { listeners: [{ addr: ":1" }] } });
      for (const args of [["--help"], ["check", "-c", path]]) {
        const { code, stderr } = await runCommand("sh", [
          "-c",
          'exec "$@" > /dev/full',
          "sh",
          Deno.execPath(),
          ...proxyLine(folder, ...args),
        ]);
        assert.equal(code, 1);
        assert.match(stderr, /^mc-proxy: [^\n]*No space left[^\n]*\n$/);
      }
    });
  },
});
