/**
 * Whole processes of a fleet, with the permissions of an installation: one is killed while others make
 * changes, and at each step of a change of its own. What the group has is there when it is back, and
 * nothing else.
 */
import assert from "node:assert/strict";
import { createClient } from "../../lib/client/mod.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  plainRoute,
  ROLE_PASSWORD,
  startMember,
} from "../support/fleet.ts";
import { unusedPort } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { TcpRelay } from "../support/tcp_relay.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const CHANGES = 20;
const BY = { actor: "uid 0 (alice)", action: "Test" };

postgresTest("a proxy of a fleet that is killed has every change when it is back", async () => {
  const certificate = await createServerIdentity("localhost");
  await using server = await startPostgres({ tls: certificate });
  await createFleet(server, { edge: ["p1", "p2"] });
  await using relay = new TcpRelay(server.address);
  using one = temporaryFolder();
  using two = temporaryFolder();
  const port = await unusedPort();
  await using first = await startMember(server, {
    ...{ role: "p1", folder: one.path, port: await unusedPort() },
  });
  const tls = { ca: `${two.path}/ca.pem`, port: server.address.port };
  const plain = { tls: false, port: relay.port };
  const start = (way: object) =>
    startProcess(server, { folder: two.path, port, way, ca: certificate.ca });
  const killed = await start(tls);
  await whileOthersWrite(server, first, killed);
  let proxy = await start(plain);
  for (const step of [beforeIt, betweenBoth, behindIt]) {
    using client = adminOf(two.path);
    await client.has(first, await lastRevision(server));
    await step({ server, relay, proxy, client });
    relay.mode = "fast";
    relay.cut();
    proxy = await start(plain);
  }
  await using last = proxy;
  using client = adminOf(two.path);
  await client.has(first, await lastRevision(server));
  const { stateSource = "", statePath = "" } = (await client.getStatus({})).status ?? {};
  assert.deepEqual([stateSource, statePath.split(" ").at(-1)], ["postgres", "edge"]);
  assert.deepEqual(last.errors(), []);
});

interface Scene {
  readonly server: TestPostgres;
  readonly relay: TcpRelay;
  readonly proxy: Proxy;
  readonly client: ReturnType<typeof adminOf>;
}

async function whileOthersWrite(
  server: TestPostgres,
  first: FleetMember,
  killed: Proxy,
): Promise<void> {
  const changes = (async () => {
    for (let i = 0; i < CHANGES; i++) {
      await first.control.routing.addRoute(first.addr, plainRoute(`r${i}.example`), BY);
    }
  })();
  await eventually(async () => await lastRevision(server) > CHANGES / 4, "some changes");
  await killed.stop("SIGKILL");
  await changes;
}

/** The group has not heard of the change, and does not hear of it. */
async function beforeIt({ server, relay, proxy, client }: Scene): Promise<void> {
  const revision = await lastRevision(server);
  const said = relay.silenceAt("before.example", "request");
  const change = client.add("before.example");
  await said;
  await proxy.stop("SIGKILL");
  assert.equal(await change, "failed");
  assert.equal(await lastRevision(server), revision);
}

/** The group has the change, and the proxy does not know that it has. */
async function betweenBoth({ server, relay, proxy, client }: Scene): Promise<void> {
  const revision = await lastRevision(server);
  const said = relay.silenceAt("between.example", "answer");
  const change = client.add("between.example");
  await said;
  await eventually(async () => await lastRevision(server) > revision, "the group has it");
  await proxy.stop("SIGKILL");
  assert.equal(await change, "failed");
  assert.equal(await lastRevision(server), revision + 1);
}

/** The change is in effect, whether the client has heard so or not. */
async function behindIt({ server, proxy, client }: Scene): Promise<void> {
  const revision = await lastRevision(server);
  const change = client.add("behind.example");
  await eventually(async () => {
    const [row] = await server.run(
      "SELECT revision FROM mc_proxy_fleet.members WHERE proxy = 'p2'",
    );
    return Number(row?.revision) > revision;
  }, "it is in effect");
  await proxy.stop("SIGKILL");
  await change;
  assert.equal(await lastRevision(server), revision + 1);
}

/** What asks the process that has its database in a folder. */
function adminOf(folder: string) {
  const client = createClient({ socketPath: `${folder}/admin.sock`, actor: "bob" });
  return {
    getStatus: client.getStatus,
    add: (hostname: string) =>
      client.addRoute({ listenerAddr: "edge", hostname, backend: "127.0.0.1:1" })
        .then(() => "done", () => "failed"),
    /** Waits until it has what another one has at a revision. */
    has: async (other: FleetMember, revision: number) => {
      await eventually(
        async () =>
          other.revision === revision &&
          (await client.getStatus({})).status?.revision === BigInt(revision),
        "both have caught up",
      );
      const { routes } = await client.listRoutes({ listenerAddr: "edge" });
      assert.deepEqual(routes.map(({ hostname }) => hostname).sort(), other.served().sort());
    },
    [Symbol.dispose]: () => client.close(),
  };
}

async function startProcess(
  { address: { database } }: TestPostgres,
  { folder, port, way, ca }: {
    readonly folder: string;
    readonly port: number;
    readonly way: object;
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
          ...{ host: "localhost", database, user: "p2", group: "edge" },
          ...{ password_file: `${folder}/password`, ...way },
        },
        local: { name: "p2", listeners: { edge: `127.0.0.1:${port}` } },
      },
      listeners: [{ addr: `127.0.0.1:${port}` }],
    },
  });
}

async function lastRevision(server: TestPostgres): Promise<number> {
  const [row] = await server.run("SELECT revision::int AS revision FROM mc_proxy_fleet.groups");
  return Number(row?.revision ?? 0);
}
