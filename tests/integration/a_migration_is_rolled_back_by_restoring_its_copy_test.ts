import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "../../lib/client/mod.ts";
import { MIGRATIONS, SCHEMA, SCHEMA_VERSION } from "../../lib/db/migrations.ts";
import {
  acceptStateDatabase,
  openStateDatabase,
  restoreStateDatabase,
  StateDatabase,
} from "../../lib/sqlite/mod.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** The program before the last migration, as far as its database goes. */
const BEFORE = {
  schema: { ...SCHEMA, migrations: MIGRATIONS.slice(0, -1) },
  make: (db: DatabaseSync, parts: ConstructorParameters<typeof StateDatabase>[1]) =>
    new StateDatabase(db, parts),
};

/** What it has left behind: one route. */
function leaveDatabase(path: string, addr: string): void {
  openStateDatabase(path, {}, BEFORE)[Symbol.dispose]();
  {
    using db = new DatabaseSync(path);
    db.exec(`
      INSERT INTO listeners (id, addr) VALUES (1, '${addr}');
      INSERT INTO routes (listener_id, hostname, backend) VALUES (1, 'old.test', '10.0.0.1:443');
    `);
  }
  acceptStateDatabase(path, { ...BEFORE, describe: () => undefined });
}

function hostnames(path: string): string[] {
  using db = new DatabaseSync(path, { readOnly: true });
  return db.prepare("SELECT hostname FROM routes ORDER BY id").all().map(({ hostname }) =>
    String(hostname)
  );
}

/** The commands of the drill. */
function drill(): string[] {
  const runbook = Deno.readTextFileSync(join(ROOT, "RUNBOOK.md"));
  const [, count, text = ""] =
    /^### Roll back over a migration: (\d+) commands\n\n```text\n([^`]*)```$/m.exec(runbook) ?? [];
  const commands = text.trim().split("\n");
  assert.equal(commands.length, Number(count));
  return commands;
}

Deno.test("an upgrade over a migration is taken back with the copy that it named, in four commands", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "mc-proxy.db");
  const addr = `127.0.0.1:${await unusedPort()}`;
  leaveDatabase(path, addr);
  const socketPath = join(folder.path, "mc-proxy.sock");
  const config = { listeners: [{ addr }], grpc: { addr: socketPath }, server: { workers: 0 } };
  await using proxy: Proxy = await startProxy({ folder: folder.path, config });
  const [event] = proxy.events("database migrated");
  assert.deepEqual([event?.from, event?.to], [SCHEMA_VERSION - 1, SCHEMA_VERSION]);
  const copy = String(event?.copy);
  {
    const client = createClient({ socketPath });
    await client.addRoute({ listenerAddr: addr, hostname: "new.test", backend: "10.0.0.2:443" });
    client.close();
  }
  assert.throws(() => openStateDatabase(path, {}, BEFORE), { code: "newer_schema" });

  const ran: string[] = [];
  for (const command of drill()) {
    const [program = "", verb = ""] = command.split(" ");
    ran.push(`${program} ${verb}`);
    if (program === "systemctl" && verb === "stop") assert.equal(await proxy.stop(), 0);
    if (program === "mc-proxy") {
      const from = command.split(" --from ")[1] ?? "";
      const [, named, version] = /(mc-proxy\.db)\.v(\d+)\.\d{8}T\d{6}Z\.bak$/.exec(from) ?? [];
      assert.ok(named !== undefined && version !== undefined, "it is named as copies are");
      const { aside } = await restoreStateDatabase(path, { from: copy }, {
        ...BEFORE,
        describe: () => undefined,
      });
      assert.deepEqual(hostnames(aside ?? ""), ["old.test", "new.test"], "nothing is thrown away");
    }
    if (program === "systemctl" && verb === "start") {
      using database = openStateDatabase(path, {}, BEFORE);
      database.role?.claim();
      assert.equal(database.version, SCHEMA_VERSION - 1);
    }
  }
  assert.deepEqual(ran, [
    "systemctl stop",
    "deploy/install.sh rollback",
    "mc-proxy restore",
    "systemctl start",
  ]);
  assert.deepEqual(hostnames(path), ["old.test"]);
});
