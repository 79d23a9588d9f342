import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { DatabaseError } from "../../lib/db/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { createAuthority, issueExpired } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { startProxy } from "../support/proxy.ts";
import { countryDatabase } from "../support/vectors.ts";

Deno.test("a route added with an expired certificate says so at once, everywhere", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const { certPem, keyPem } = await issueExpired(authority, {
    dnsNames: ["a.test"],
    usages: ["server"],
  });
  await using proxy = await startProxy({
    files: { "cert.pem": certPem, "key.pem": keyPem },
    config: (folder) => ({
      listeners: [{ addr: "127.0.0.1:0" }],
      grpc: { addr: join(folder, "mc-proxy.sock") },
      metrics: { addr: "127.0.0.1:0" },
    }),
  });
  const socketPath = join(proxy.folder, "mc-proxy.sock");
  using client = createClient({ socketPath });
  const warnings = async () => (await client.getStatus({})).status?.warnings ?? [];
  assert.deepEqual((await warnings()).filter((it) => it.includes("certificate")), []);
  await client.addRoute({
    ...{ listenerAddr: "127.0.0.1:0", hostname: "a.test", backend: "127.0.0.1:1", mode: "l7" },
    ...{ tlsCert: join(proxy.folder, "cert.pem"), tlsKey: join(proxy.folder, "key.pem") },
  });
  assert.match((await warnings()).join("\n"), /the certificate ".*cert\.pem" expired at /);
  const { stdout } = await runCtl({ socketPath }, ["health"]);
  assert.match(stdout, /^healthy\nwarning: the certificate ".*cert\.pem" expired at /m);
  const port = proxy.events("metrics")[0]?.port;
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.match(metrics, /^mc_proxy_warnings [1-9]/m);
  const logged = () =>
    proxy.events().some(({ message }) => /cert\.pem.* expired at/.test(`${message}`));
  await eventually(logged, "the log says it too");
  await client.removeRoute({ listenerAddr: "127.0.0.1:0", hostname: "a.test" });
  await eventually(async () => !(await warnings()).join().includes("cert.pem"), "it is over");
});

Deno.test("a change that finds the disk full lets health look at once", async () => {
  await using admin = await startAdmin();
  let asked = 0;
  admin.control.onWriteFailed(() => asked++);
  const { database } = admin;
  const undoable = database.undoable;
  const full = new DatabaseError("disk_full", "database or disk is full");
  Object.defineProperty(database, "undoable", {
    configurable: true,
    value: () => {
      throw full;
    },
  });
  const rule = { type: "ip", value: "192.0.2.1" };
  await assert.rejects(admin.client.addFirewallRule(rule), { code: "resource_exhausted" });
  assert.equal(asked, 1);
  Object.defineProperty(database, "undoable", { configurable: true, value: undoable });
  await admin.client.addFirewallRule(rule);
  assert.equal(asked, 1);
});

Deno.test("`status` counts workers and outcomes once, and marks a limit that outlives the file", async () => {
  await using admin = await startAdmin({ config: "firewall.rate_limit = 7" });
  const status = async () => (await runCtl(admin, ["status"])).stdout;
  const before = await status();
  assert.match(before, /^workers +1 serving$/m);
  assert.match(before, /^rate limit +7 new connections per address in 10s, 0 refused$/m);
  await admin.client.setRateLimit({
    rateLimit: { limit: 9, window: { seconds: 5n, nanos: 0 } },
  });
  assert.match(await status(), /^rate limit +9 .* \(set at run time, whatever the file says\)/m);
});

Deno.test("a GeoIP file that cannot be used says why", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const path = join(folder, "geo.mmdb");
  await Deno.writeFile(path, countryDatabase());
  {
    await using admin = await startAdmin({ folder, config: `firewall.geoip_db = "${path}"` });
    admin.expectedErrors.push("GeoIP database not reloaded");
    await Deno.writeTextFile(path, "no database");
    await assert.rejects(admin.client.reloadGeoIP({}), {
      code: "failed_precondition",
      message: /^the GeoIP file .*geo\.mmdb is not usable: .*MaxMind/,
    });
  }
  await Deno.remove(folder, { recursive: true });
});
