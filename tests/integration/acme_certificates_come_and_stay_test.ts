import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkFile } from "../../lib/cli/check.ts";
import {
  issuedNames,
  L7,
  readOne,
  startCa,
  startWithCa,
  untilIssued,
  withFolder,
} from "../support/acme_proxy.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { PEBBLE_COMMANDS } from "../support/pebble.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { buildClientHello } from "../support/hello.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort, unusedPorts } from "../support/ports.ts";
import { certificateOf } from "../support/server_certificate.ts";
import { startProxy } from "../support/proxy.ts";

testWithCommands(
  PEBBLE_COMMANDS,
  "names of l7 and l4 routes are proved past a firewall that blocks everybody, who stays out",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa();
      await using _pebble = ca.pebble;
      await using proxy = await startWithCa(ca, {
        folder,
        routes: [
          { hostname: "a.example", ...L7 },
          { hostname: "b.example", backend: "127.0.0.1:9", mode: "l4", tls_cert: "acme" },
        ],
        more: { firewall: { blocked_cidrs: ["127.0.0.0/8"] } },
      });
      await untilIssued(proxy, 2, "both are issued");
      assert.deepEqual(issuedNames(proxy).sort(), ["a.example", "b.example"]);
      const proved = proxy.events("connection").filter(({ outcome }) => outcome === "acme_proved");
      assert.ok(proved.length >= 2, "each look of the authority is logged");
      await assert.rejects(certificateOf(ca.port, "a.example", await ca.pebble.root()));
      await proxy.outcome("blocked");
    });
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "names of l7 and l4 routes are proved over plain HTTP past a firewall that blocks everybody, who stays out",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa({ sleeps: true, env: { PEBBLE_VA_SLEEPTIME: "1" }, badNonces: 50 });
      await using _pebble = ca.pebble;
      await using proxy = await startWithCa(ca, {
        folder,
        routes: [
          { hostname: "a.example", ...L7 },
          { hostname: "b.example", backend: "127.0.0.1:9", mode: "l4", tls_cert: "acme" },
        ],
        redirects: true,
        acme: { challenge: "http-01" },
        more: { firewall: { blocked_cidrs: ["127.0.0.0/8"] }, server: { workers: 2 } },
      });
      await untilIssued(proxy, 2, "both are issued");
      assert.deepEqual(issuedNames(proxy).sort(), ["a.example", "b.example"]);
      const plain = `127.0.0.1:${ca.httpPort}`;
      const proved = proxy.events("connection").filter(({ outcome }) => outcome === "acme_proved");
      assert.ok(proved.length >= 2, "each look of the authority is logged");
      assert.ok(proved.every(({ listener }) => listener === plain));
      await assert.rejects(fetch(`http://${plain}/`, { headers: { host: "a.example" } }));
      await proxy.outcome("blocked");
    });
  },
);

Deno.test("http-01 without a listener that redirects is told by the check and by health", async () => {
  await withFolder(async (folder) => {
    const [port, httpPort, dead] = await unusedPorts(3) as [number, number, number];
    const { ca: caPem } = await createServerIdentity("localhost");
    const ca = { port, httpPort, caPem, directory: `https://localhost:${dead}/dir` };
    const options = {
      ...{ folder, routes: [{ hostname: "a.example", ...L7 }] },
      acme: { challenge: "http-01" },
    };
    await using _proxy = await startWithCa(ca, options);
    const message = /http-01 needs a listener with kind = "redirect"/;
    const socketPath = join(folder, "admin.sock");
    assert.match((await runCtl({ socketPath }, ["health"])).stdout, message);
    const warned = () => checkFile(join(folder, "mc-proxy.toml")).warnings.map((it) => it.message);
    assert.ok(warned().some((it) => message.test(it)));
    const added = await runCtl(
      { socketPath },
      ["listeners", "add", `127.0.0.1:${httpPort}`, "--kind", "redirect"],
    );
    assert.equal(added.code, 0, added.stderr);
    assert.doesNotMatch((await runCtl({ socketPath }, ["health"])).stdout, message);
    assert.ok(!warned().some((it) => message.test(it)), "the database counts");
  });
});

testWithCommands(
  PEBBLE_COMMANDS,
  "a certificate is used at once, is there after a kill without being ordered anew, and is renewed when it is due",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa();
      await using _pebble = ca.pebble;
      const routes = [{ hostname: "a.example", ...L7 }];
      const root = await ca.pebble.root();
      const database = join(folder, "mc-proxy.db");
      {
        await using proxy = await startWithCa(ca, { folder, routes });
        await untilIssued(proxy, 1, "it is issued");
        assert.equal(await certificateOf(ca.port, "a.example", root), "DNS:a.example");
        await proxy.stop("SIGKILL");
      }
      const before = readCertificate(database);
      {
        await using proxy = await startWithCa(ca, { folder, routes });
        assert.equal(await certificateOf(ca.port, "a.example", root), "DNS:a.example");
        assert.deepEqual(issuedNames(proxy), []);
        assert.doesNotMatch(proxy.process.lines.join("\n"), /PRIVATE KEY|MIGHAgEA/);
      }
      const db = new DatabaseSync(database);
      const renewAt = db.prepare("SELECT renew_at FROM acme_certificates").get()?.renew_at;
      assert.ok(Number(renewAt) > Date.now());
      db.exec("UPDATE acme_certificates SET renew_at = 1");
      db.close();
      await using proxy = await startWithCa(ca, { folder, routes });
      await untilIssued(proxy, 1, "it is renewed");
      assert.notEqual(readCertificate(database), before);
      assert.equal(await certificateOf(ca.port, "a.example", root), "DNS:a.example");
    });
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "an order that a kill has cut off is gone on with",
  async () => {
    await withFolder(async (folder) => {
      // The authority looks for the proof seconds after it was told of it.
      const ca = await startCa({ sleeps: true, env: { PEBBLE_VA_SLEEPTIME: "4" } });
      await using _pebble = ca.pebble;
      const routes = [{ hostname: "a.example", ...L7 }];
      const database = join(folder, "mc-proxy.db");
      const order = () => readOne(database, "SELECT url FROM acme_orders");
      {
        await using proxy = await startWithCa(ca, { folder, routes });
        await eventually(() => (order() ?? "") !== "", "an order has begun", 20_000);
        await proxy.stop("SIGKILL");
      }
      assert.match(String(order()), /^https:/);
      await using proxy = await startWithCa(ca, { folder, routes });
      await untilIssued(proxy, 1, "it is issued");
      // The authority may look while nobody listens: that ends the order, and another takes its place.
      const ended = ca.pebble.output().match(/authz \S+ set INVALID/g)?.length ?? 0;
      assert.equal(ca.pebble.output().match(/Added order/g)?.length, 1 + ended);
    });
  },
);

Deno.test("an authority that is down is asked again later, also after restarts, and everything else goes on", async () => {
  await withFolder(async (folder) => {
    const port = await unusedPort();
    const dead = await unusedPort();
    const { certPem, keyPem, ca } = await createServerIdentity("b.example");
    const start = () =>
      startProxy({
        folder,
        config: {
          listeners: [{
            addr: `127.0.0.1:${port}`,
            routes: [{ hostname: "a.example", ...L7 }, {
              ...{ hostname: "b.example", backend: "127.0.0.1:9", mode: "l7" },
              ...{ tls_cert: join(folder, "b.pem"), tls_key: join(folder, "b.key") },
            }],
          }],
          acme: { directory: `https://localhost:${dead}/dir`, agree_tos: true },
        },
        files: { "b.pem": certPem, "b.key": keyPem },
      });
    const message = "certificate could not be obtained";
    {
      await using proxy = await start();
      await eventually(() => proxy.events(message).length === 1, "it fails", 20_000);
      assert.equal(await certificateOf(port, "b.example", ca), "DNS:b.example");
      await assert.rejects(certificateOf(port, "a.example", ca));
      const { reason } = await proxy.outcome("mode_unavailable");
      assert.equal(reason, "certificate pending");
    }
    const database = join(folder, "mc-proxy.db");
    const attempts = () => readOne(database, "SELECT count(*) FROM acme_attempts");
    assert.equal(attempts(), 1);
    await using proxy = await start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal(attempts(), 1, "the back-off is of the database");
    assert.equal(proxy.events(message).length, 0);
  });
});

testWithCommands(
  PEBBLE_COMMANDS,
  "a hello of acme-tls/1 for a name that is not pending goes to its route, whose backend may prove it",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa();
      await using _pebble = ca.pebble;
      using backend = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const routes = [
        { hostname: "a.example", ...L7 },
        { hostname: "own.example", backend: `127.0.0.1:${backend.addr.port}` },
      ];
      await using proxy = await startWithCa(ca, { folder, routes });
      await untilIssued(proxy, 1, "one is issued");
      const hello = buildClientHello({ serverName: "own.example", alpn: ["acme-tls/1"] });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: ca.port });
      await client.write(hello);
      using served = await backend.accept();
      const read = new Uint8Array(hello.length);
      await served.read(read);
      assert.deepEqual(read, hello);
    });
  },
);

// More than there are orders at one time.
testWithCommands(PEBBLE_COMMANDS, "twenty names are issued together", async () => {
  await withFolder(async (folder) => {
    const ca = await startCa();
    await using _pebble = ca.pebble;
    const names = Array.from({ length: 20 }, (_, i) => `host-${i}.example`);
    await using proxy = await startWithCa(ca, {
      ...{ folder, routes: names.map((hostname) => ({ hostname, ...L7 })) },
      acme: { profile: "shortlived" },
    });
    await untilIssued(proxy, 20, "all are issued");
    assert.deepEqual(issuedNames(proxy).sort(), names.sort());
    const root = await ca.pebble.root();
    assert.equal(await certificateOf(ca.port, "host-7.example", root), "DNS:host-7.example");
  });
});

testWithCommands(
  PEBBLE_COMMANDS,
  "a process that takes over in the middle of an order goes on with it: there is one order at a time",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa({ sleeps: true, env: { PEBBLE_VA_SLEEPTIME: "4" } });
      await using _pebble = ca.pebble;
      const routes = [{ hostname: "a.example", ...L7 }];
      const order = () => readOne(join(folder, "mc-proxy.db"), "SELECT url FROM acme_orders");
      await using old = await startWithCa(ca, { folder, routes });
      await eventually(() => (order() ?? "") !== "", "an order has begun", 20_000);
      await using successor = await startWithCa(ca, { folder, routes, takeOver: true });
      assert.equal(await old.stop(), 0);
      await untilIssued(successor, 1, "it is issued");
      assert.deepEqual(issuedNames(old), []);
      // While both share the port, the authority may meet the one that does not show the proof yet: then
      // it ends that order, and another one takes its place. There are never two at one time.
      const ended = ca.pebble.output().match(/authz \S+ set INVALID/g)?.length ?? 0;
      assert.equal(ca.pebble.output().match(/Added order/g)?.length, 1 + ended);
      const root = await ca.pebble.root();
      assert.equal(await certificateOf(ca.port, "a.example", root), "DNS:a.example");
    });
  },
);

const readCertificate = (path: string) => readOne(path, "SELECT cert_pem FROM acme_certificates");

testWithCommands(
  PEBBLE_COMMANDS,
  "mcproxyctl lists, renews and revokes certificates, and no wildcard is taken that cannot be proved",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa();
      await using _pebble = ca.pebble;
      const socketPath = join(folder, "admin.sock");
      const routes = [{ hostname: "a.example", ...L7 }];
      await using proxy = await startWithCa(ca, { folder, routes });
      await untilIssued(proxy, 1, "it is issued");
      const list = async () => {
        const { stdout, stderr } = await runCtl({ socketPath }, ["certificates", "list", "--json"]);
        assert.equal(stderr, "");
        return JSON.parse(stdout).certificates as Record<string, unknown>[];
      };
      const [first] = await list();
      assert.equal(first?.source, "acme");
      assert.match(String(first?.issuer), /Pebble/);
      assert.deepEqual(first?.names, ["a.example"]);
      assert.ok(Date.parse(String(first?.next_order_time)) > Date.now());
      assert.equal(first?.problem ?? "", "");

      assert.equal((await runCtl({ socketPath }, ["certificates", "renew", "b.example"])).code, 1);
      await runCtl({ socketPath }, ["certificates", "renew", "a.example"]);
      await untilIssued(proxy, 2, "it is renewed");
      const revoked = await runCtl({ socketPath }, ["certificates", "revoke", "a.example"]);
      assert.equal(revoked.code, 0, revoked.stderr);
      await untilIssued(proxy, 3, "another one is issued");
      const audit = await runCtl({ socketPath }, ["audit"]);
      for (const action of ["IssueCertificate", "RenewCertificate", "RevokeCertificate"]) {
        assert.match(audit.stdout, new RegExp(action));
      }
      assert.doesNotMatch(audit.stdout, /BEGIN/);
      const added = await runCtl(
        { socketPath },
        ["routes", "add", `127.0.0.1:${ca.port}`, "*.w.example", "127.0.0.1:9", "--mode", "l7"]
          .concat(["--tls-cert", "acme"]),
      );
      assert.notEqual(added.code, 0, "no wildcard");
      assert.match(added.stderr, /tls-alpn-01 proves no wildcard/);
    });
  },
);
