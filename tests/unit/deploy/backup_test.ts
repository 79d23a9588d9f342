import assert from "node:assert/strict";
import { join } from "node:path";
import { backUp } from "../../../deploy/backup.ts";
import { openDatabase } from "../../../lib/db/mod.ts";
import { runCommand } from "../../support/commands.ts";
import { ROOT } from "../../support/module_graph.ts";
import { denoArguments } from "../../support/units.ts";

/** A folder with a live database in it, which has one route. */
async function withDatabase(use: (folder: string, database: string) => Promise<void>) {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const path = join(folder, "mc-proxy.db");
  try {
    using live = openDatabase(path);
    const { id } = live.addListener({ addr: ":443" });
    live.addRoute(id, { hostname: "one.test", backend: "127.0.0.1:1" });
    await use(folder, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test("backUp() copies a database that is open, and the copy has its rows", async () => {
  await withDatabase(async (folder, database) => {
    const { path, ...counts } = await backUp({ database, folder: join(folder, "b"), keep: 1 });
    assert.deepEqual(counts, { listeners: 1, routes: 1, firewallRules: 0, removed: [] });
    using copy = openDatabase(path);
    const [listener] = copy.listeners();
    assert.ok(listener);
    assert.equal(copy.routes(listener.id)[0]?.hostname, "one.test");
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("backUp() keeps the newest copies and whatever is not a copy", async () => {
  await withDatabase(async (folder, database) => {
    const copies = join(folder, "backups");
    await Deno.mkdir(copies);
    await Deno.writeTextFile(join(copies, "mc-proxy-before-upgrade.db"), "");
    for (const day of [3, 1, 2, 4]) {
      const now = new Date(`2026-01-0${day}T02:00:00.123Z`);
      await backUp({ database, folder: copies, keep: 2, now });
    }
    assert.deepEqual(await namesIn(copies), [
      "mc-proxy-20260103T020000Z.db",
      "mc-proxy-20260104T020000Z.db",
      "mc-proxy-before-upgrade.db",
    ]);
  });
});

Deno.test("backUp() removes nothing when the database cannot be read", async () => {
  await withDatabase(async (folder, database) => {
    const copies = join(folder, "backups");
    await backUp({ database, folder: copies, keep: 1, now: new Date("2026-01-01T02:00:00Z") });
    const broken = join(folder, "broken.db");
    await Deno.writeTextFile(broken, "not a database ".repeat(1000));
    await assert.rejects(backUp({ database: broken, folder: copies, keep: 1 }), {
      name: "DatabaseError",
    });
    await assert.rejects(backUp({ database: join(folder, "gone"), folder: copies, keep: 1 }), {
      code: "not_found",
    });
    assert.deepEqual(await namesIn(copies), ["mc-proxy-20260101T020000Z.db"]);
  });
});

/** The command of the unit, with the folders of an installation replaced. */
async function runUnit(folder: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const unit = await Deno.readTextFile(join(ROOT, "deploy/mc-proxy-backup.service"));
  const words = denoArguments(unit).map((word) =>
    word.replaceAll("/opt/mc-proxy", ROOT).replaceAll("/srv/mc-proxy", folder)
  );
  return await runCommand(Deno.execPath(), ["run", ...words]);
}

Deno.test("mc-proxy-backup.service's command makes a copy under its own flags", async () => {
  await withDatabase(async (folder, database) => {
    const config = join(folder, "mc-proxy.toml");
    await Deno.writeTextFile(config, `[database]\npath = "${database}"\n`);
    const { code, stdout, stderr } = await runUnit(folder);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /: 1 listeners, 1 routes, 0 firewall rules; 0 old copies removed\n$/);
    assert.equal((await namesIn(join(folder, "backups"))).length, 1);
  });
});

Deno.test("mc-proxy-backup.service's command fails in one line without a database", async () => {
  await withDatabase(async (folder) => {
    const config = join(folder, "mc-proxy.toml");
    await Deno.writeTextFile(config, `[database]\npath = "${folder}/gone.db"\n`);
    const { code, stderr } = await runUnit(folder);
    assert.equal(code, 1);
    assert.match(stderr, /^backup: cannot open the database .*\n$/);
  });
});
