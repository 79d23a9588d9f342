/**
 * Whole processes of a fleet, with the permissions of an installation and PostgreSQL over TLS: one is
 * killed while others make changes, and has them when it is there again.
 */
import assert from "node:assert/strict";
import { createClient } from "../../lib/client/mod.ts";
import { createFleet, ROLE_PASSWORD } from "../support/fleet.ts";
import { eventually } from "../support/deadline.ts";
import { unusedPort } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const CHANGES = 20;

postgresTest("a proxy of a fleet that is killed has every change when it is back", async () => {
  const certificate = await createServerIdentity("localhost");
  await using server = await startPostgres({ tls: certificate });
  await createFleet(server, { edge: ["p1", "p2"] });
  using one = temporaryFolder();
  using two = temporaryFolder();
  const start = (role: string, folder: string, port: number) =>
    startMember(server, { role, folder, port, ca: certificate.ca });
  const [firstPort, secondPort] = [await unusedPort(), await unusedPort()];
  await using first = await start("p1", one.path, firstPort);
  const second = await start("p2", two.path, secondPort);
  const client = createClient({ socketPath: `${one.path}/admin.sock`, actor: "alice" });
  try {
    const listenerAddr = `127.0.0.1:${firstPort}`;
    const changes = (async () => {
      for (let i = 0; i < CHANGES; i++) {
        await client.addRoute({ listenerAddr, hostname: `r${i}.example`, backend: "127.0.0.1:1" });
      }
    })();
    await eventually(async () => await lastRevision(server) > CHANGES / 4, "some changes");
    await second.stop("SIGKILL");
    await changes;
    await using again = await start("p2", two.path, secondPort);
    const other = createClient({ socketPath: `${two.path}/admin.sock` });
    try {
      await eventually(
        async () => (await other.getStatus({})).status?.revision === BigInt(CHANGES + 1),
        "it has caught up",
      );
      const { routes } = await other.listRoutes({ listenerAddr: `127.0.0.1:${secondPort}` });
      const wanted = Array.from({ length: CHANGES }, (_, i) => `r${i}.example`);
      assert.deepEqual(routes.map(({ hostname }) => hostname).sort(), wanted.sort());
      const { entries } = await other.getAuditLog({ limit: 1 });
      assert.match(entries[0]?.actor ?? "", /\(alice\) at p1$/);
      const { stateSource = "", statePath = "" } = (await other.getStatus({})).status ?? {};
      assert.equal(stateSource, "postgres");
      assert.match(statePath, / edge$/);
    } finally {
      other.close();
    }
    assert.deepEqual(again.errors(), []);
  } finally {
    client.close();
  }
  assert.deepEqual(first.errors(), []);
});

async function startMember(
  { address }: TestPostgres,
  { role, folder, port, ca }: {
    readonly role: string;
    readonly folder: string;
    readonly port: number;
    readonly ca: string;
  },
): Promise<Proxy> {
  return await startProxy({
    folder,
    files: { password: `${ROLE_PASSWORD}\n`, "ca.pem": ca },
    config: {
      grpc: { addr: `${folder}/admin.sock` },
      state: {
        source: "postgres",
        postgres: {
          ...{ host: "localhost", port: address.port, database: address.database, user: role },
          ...{ password_file: `${folder}/password`, ca: `${folder}/ca.pem`, group: "edge" },
        },
        local: { name: role, listeners: { edge: `127.0.0.1:${port}` } },
      },
      listeners: [{ addr: `127.0.0.1:${port}` }],
    },
  });
}

async function lastRevision(server: TestPostgres): Promise<number> {
  const [row] = await server.run("SELECT revision::int AS revision FROM mc_proxy_fleet.groups");
  return Number(row?.revision ?? 0);
}
