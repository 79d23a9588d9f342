import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { type ConfigTree, startProxy, writeConfig } from "../support/proxy.ts";
import { unusedPort } from "../support/ports.ts";

/** One route more in the file than in the database. */
function configs(folder: string, addr: string): readonly [seed: ConfigTree, edited: ConfigTree] {
  const route = (name: string) => ({ hostname: name, backend: "192.0.2.1:443" });
  const make = (...names: string[]) => ({
    grpc: { addr: join(folder, "mc-proxy.sock") },
    firewall: { blocked_ips: ["192.0.2.7"] },
    listeners: [{ addr, routes: names.map(route) }],
  });
  return [make("a.test"), make("a.test", "b.test")];
}

Deno.test("who edits the file is told by start, status and a reload that the database is in effect", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  try {
    const addr = `127.0.0.1:${await unusedPort()}`;
    const [seed, edited] = configs(folder, addr);
    const file = join(folder, "mc-proxy.toml");
    const socketPath = join(folder, "mc-proxy.sock");
    const said = `${file} is not what is in effect, the database is: there is 1 difference; ` +
      `\`mcproxyctl apply -f ${file} --diff\` shows them`;
    const DRIFT = "the configuration file is not in effect";
    const warnings = async () => {
      const { stdout } = await runCtl({ socketPath }, ["--json", "status"]);
      return JSON.parse(stdout).status?.warnings ?? JSON.parse(stdout).warnings;
    };
    {
      await using proxy = await startProxy({ folder, config: seed });
      assert.deepEqual(await warnings(), []);
      await writeConfig(folder, { config: edited });
      proxy.process.signal("SIGHUP");
      await eventually(() => proxy.events(DRIFT).length === 1, "a reload says it");
      assert.deepEqual(await warnings(), [said]);
    }
    await using proxy = await startProxy({ folder, config: edited });
    assert.equal(proxy.events(DRIFT)[0]?.level, "WARN");
    assert.equal(proxy.events(DRIFT)[0]?.reason, said);
    const { code, stdout } = await runCtl({ socketPath }, ["status"]);
    assert.equal(code, 0);
    assert.match(stdout, /^warning +.* there is 1 difference; /m);
    // The command that it names shows as many.
    const text = await Deno.readTextFile(file);
    const diff = await runCtl({ socketPath }, ["apply", "-f", "-", "--diff"], text);
    assert.match(diff.stdout, /^1 difference$/m);
    await runCtl({ socketPath }, ["apply", "-f", "-"], text);
    const agree = "the configuration file is in effect again";
    await eventually(() => proxy.events(agree).length === 1, "it is over when they agree");
    assert.deepEqual(await warnings(), []);
    await runCtl({ socketPath }, ["firewall", "remove", "ip", "192.0.2.7"]);
    await eventually(async () => (await warnings()).length === 1, "a change at run time is drift");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
