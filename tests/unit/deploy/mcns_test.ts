import assert from "node:assert/strict";
import { join } from "node:path";
import { backUpZones } from "../../../deploy/backup.ts";
import { parseZoneFile } from "../../../lib/dns/mod.ts";
import { loadMcnsConfig } from "../../../lib/dns_config/mod.ts";
import { openDnsDatabase } from "../../../lib/dns_store/mod.ts";
import { compileZone } from "../../../lib/zones/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { runCommand } from "../../support/commands.ts";
import { nameOf } from "../../support/dns_server.ts";
import { ROOT } from "../../support/module_graph.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const example = (name: string) => Deno.readTextFile(join(ROOT, "deploy/examples", name));
const { certPem, keyPem } = await createServerIdentity("mcns.example.net");

Deno.test("deploy/examples/mcns.toml is accepted without a warning", async () => {
  const readFile = (path: string) =>
    new TextEncoder().encode(path.endsWith(".key") ? keyPem : certPem);
  const result = loadMcnsConfig(await example("mcns.toml"), { readFile });
  assert(result.ok, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
});

for (const name of ["mcp.metacircular.net", "svc.mcp.metacircular.net"]) {
  Deno.test(`deploy/examples/${name}.zone is a zone`, async () => {
    const origin = nameOf(name);
    const { records, problems } = parseZoneFile(await example(`${name}.zone`), { origin });
    assert.deepEqual(problems, []);
    const result = compileZone(origin, records);
    assert(result.ok, JSON.stringify(result));
  });
}

Deno.test("backUpZones() copies a database that is open, and keeps the newest copies", async () => {
  using folder = temporaryFolder();
  const database = join(folder.path, "mcns.db");
  const copies = join(folder.path, "backups");
  using live = openDnsDatabase(database);
  const origin = nameOf("mcp.metacircular.net");
  const { records } = parseZoneFile(await example("mcp.metacircular.net.zone"), { origin });
  live.createZone(origin, records, { actor: "test", action: "create", time: 0 });
  const results = [];
  for (const day of [1, 2, 3]) {
    const now = new Date(`2026-01-0${day}T02:15:00Z`);
    results.push(await backUpZones({ database, folder: copies, keep: 2, now }));
  }
  const { zones, records: count, removed } = results.at(-1) ?? {};
  assert.deepEqual([zones, count, removed], [1, records.length, ["mcns-20260101T021500Z.db"]]);
  const names = (await Array.fromAsync(Deno.readDir(copies))).map(({ name }) => name).sort();
  assert.deepEqual(names, ["mcns-20260102T021500Z.db", "mcns-20260103T021500Z.db"]);
});

Deno.test("install-mcns.sh makes private folders, keeps a configuration, and follows no link", async () => {
  using root = temporaryFolder();
  const run = (...args: string[]) =>
    runCommand(join(ROOT, "deploy/install-mcns.sh"), [...args, "--root", root.path]);
  const data = join(root.path, "srv/mcns");
  const early = await run("install");
  assert.equal(early.code, 1);
  assert.match(early.stderr, /run deploy\/install\.sh first/);
  await Deno.mkdir(join(root.path, "opt/mc-proxy/lib/cli"), { recursive: true });
  await Deno.writeTextFile(join(root.path, "opt/mc-proxy/lib/cli/mcns.ts"), "");
  await Deno.mkdir(join(root.path, "srv"));
  const first = await run("install");
  assert.equal(first.code, 0, first.stderr);
  const modeOf = async (path: string) => ((await Deno.stat(join(data, path))).mode ?? 0) & 0o777;
  assert.deepEqual(
    [await modeOf("."), await modeOf("certs"), await modeOf("backups"), await modeOf("mcns.toml")],
    [0o700, 0o700, 0o700, 0o600],
  );
  const link = (name: string) => Deno.readLink(join(root.path, "usr/local/bin", name));
  assert.deepEqual([await link("mcns"), await link("mcnsctl")], [
    "/opt/mc-proxy/bin/mcns",
    "/opt/mc-proxy/bin/mcnsctl",
  ]);
  await Deno.writeTextFile(join(data, "mcns.toml"), "# mine\n");
  assert.equal((await run("install")).code, 0);
  assert.equal(await Deno.readTextFile(join(data, "mcns.toml")), "# mine\n");
  for (const unit of ["mcns.service", "mcns-backup.service", "mcns-backup.timer"]) {
    await Deno.stat(join(root.path, "etc/systemd/system", unit));
  }
  // The program is the proxy's: it does not go while the name server needs it.
  const removed = await runCommand(join(ROOT, "deploy/install.sh"), [
    "uninstall",
    "--root",
    root.path,
  ]);
  assert.equal(removed.code, 1);
  assert.match(removed.stderr, /^install\.sh: the name server runs this program, remove it first/);
  await Deno.stat(join(root.path, "opt/mc-proxy/lib/cli/mcns.ts"));
  await Deno.remove(join(data, "certs"));
  await Deno.symlink("/etc", join(data, "certs"));
  const linked = await run("install");
  assert.equal(linked.code, 1);
  assert.match(linked.stderr, /certs is a link: nothing was changed/);
  assert.equal((await run("uninstall")).code, 0);
  await assert.rejects(link("mcnsctl"), Deno.errors.NotFound);
  await Deno.stat(join(data, "mcns.toml"));
  assert.equal((await run("uninstall", "--purge")).code, 0);
  await assert.rejects(Deno.stat(data), Deno.errors.NotFound);
});
