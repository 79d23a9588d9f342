import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand } from "../support/commands.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type ConfigTree, startProxy, writeConfig } from "../support/proxy.ts";

async function check(folder: string, config: ConfigTree, ...args: string[]) {
  const path = await writeConfig(folder, { config });
  return await runCommand(Deno.execPath(), proxyLine(folder, "check", "-c", path, ...args));
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("check says that the database's folder is missing, and that nothing would listen", async () => {
  await withFolder(async (folder) => {
    const database = { path: join(folder, "absent", "a.db") };
    const missing = await check(folder, { database, listeners: [{ addr: ":1" }] });
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /mc-proxy\.toml:\d+:1: database\.path: the folder ".*absent" does not exist\n$/,
    );
    const deaf = await check(folder, {});
    assert.match(
      deaf.stderr,
      /warning: .*: listeners: there is none, neither here nor in the database: /,
    );
  });
});

Deno.test("check --json says the same to machines", async () => {
  await withFolder(async (folder) => {
    const listeners = [{ addr: ":1" }];
    const good = await check(folder, { listeners }, "--json");
    const file = join(folder, "mc-proxy.toml");
    const state = { source: "database" };
    const found = { file, ok: true, problems: [], warnings: [], state };
    assert.deepEqual([good.code, JSON.parse(good.stdout), good.stderr], [0, found, ""]);
    const bad = await check(folder, { listeners, log: { level: "wran" } }, "--json");
    assert.equal(bad.code, 1);
    const [problem, ...others] = JSON.parse(bad.stdout).problems;
    assert.deepEqual(others, []);
    assert.equal(problem.key, "log.level");
    assert.equal(problem.suggestion, '"warn"');
    assert.ok(problem.line > 1 && problem.column === 1);
  });
});

Deno.test("check says where the file differs from the database, beside a running proxy and after it", async () => {
  await withFolder(async (folder) => {
    const route = (hostname: string) => ({ hostname, backend: "192.0.2.1:443" });
    const addr = `127.0.0.1:${await unusedPort()}`;
    const seed = { listeners: [{ addr, routes: [route("a.test")] }] };
    const routes = [route("b.test"), route("c.test")];
    const edited = { listeners: [{ addr, routes }], firewall: { blocked_ips: ["192.0.2.1"] } };
    // One removed, two added, one rule.
    const said = /^warning: .* there are 4 differences; `mcproxyctl apply -f .*` shows them$/m;
    {
      await using _proxy = await startProxy({ folder, config: seed });
      assert.match((await check(folder, edited)).stderr, said);
      assert.equal((await check(folder, seed)).stderr, "");
    }
    const names = async () =>
      (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
    const before = await names();
    const { code, stderr } = await check(folder, edited);
    assert.equal(code, 0);
    assert.match(stderr, said);
    assert.deepEqual(await names(), before);
  });
});
