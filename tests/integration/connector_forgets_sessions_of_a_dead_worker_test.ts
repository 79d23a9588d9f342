import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  createSqliteAuthorizer,
  DatabaseAdmission,
  DIRECTORY_SCHEMA,
  replaceDirectory,
} from "../../lib/connector/mod.ts";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectTls } from "../support/clients.ts";
import { connectorOf, directoryOf, DOMAIN, issueClient, server } from "../support/connector.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { listenerOf, routeOf } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

Deno.test("sessions of a worker that died are forgotten, and its successor admits new ones", async () => {
  await using backend = await startEchoBackend();
  using directory = new DatabaseSync(":memory:");
  directory.exec(DIRECTORY_SCHEMA);
  replaceDirectory(directory, directoryOf(backend.address));
  await using access = new DatabaseAdmission({
    authorizer: createSqliteAuthorizer({ database: directory }),
    settings: { authorizationCacheMs: 0, revalidateMs: 3_600_000, outageGraceMs: 1000 },
    log: () => {},
  });
  const port = await unusedPort();
  const route = routeOf({ hostname: `*.${DOMAIN}`, backend: "", mode: "mtls" });
  const pool = await WorkerPool.start(1, {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [listenerOf(port, { routes: [route] })],
    connector: connectorOf(),
  }, { onEvent: () => {}, log: () => {}, admission: access });
  try {
    const { certPem: cert, keyPem: key } = await issueClient("acme", "alice");
    const enter = async () => {
      const peer = await connectTls({
        port,
        servername: `web.${DOMAIN}`,
        ca: server.ca,
        cert,
        key,
      });
      await peer.write("x");
      await peer.read(1);
      return peer;
    };
    await using first = await enter();
    assert.equal(access.size, 1);
    pool.replace(0, "for the test");
    await withinDeadline(first.ending, "the session ends with its worker");
    assert.equal(access.size, 0);
    await eventually(() => pool.status().workers[0]?.state === "serving", "a new worker serves");
    await using second = await enter();
    assert.equal(access.size, 1);
    second.end();
    await second.ending;
    await eventually(() => access.size === 0, "the session leaves");
  } finally {
    await pool.drain(0);
  }
});
