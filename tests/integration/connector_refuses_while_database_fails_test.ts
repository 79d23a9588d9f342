import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import postgres from "postgres";
import {
  type Authorizer,
  createPostgresAuthorizer,
  type DatabaseFault,
  type PostgresServer,
} from "../../lib/connector/mod.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import {
  type ConnectorDatabase,
  postgresTest,
  sharedDatabase,
  startConnectorDatabase,
} from "../support/connector_database.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";

const DEADLINE_MS = 600;
const ALICE = { orgId: "acme", userId: "alice", connectId: "host-1" };
const ALLOWED = { allowed: true, address: "10.0.0.1" };
const UNAVAILABLE = { allowed: false, cause: "unavailable" };

const authority = await createAuthority({ commonName: "database root" });
const identity = {
  ca: authority.certPem,
  ...await issueCertificate(authority, {
    dnsNames: ["database.test"],
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
  }),
};
const database = sharedDatabase(start);

async function start(): Promise<ConnectorDatabase> {
  const started = await startConnectorDatabase({ tls: identity });
  await started.fill({
    hosts: [
      { connectId: "host-1", address: "10.0.0.1", orgId: "acme", userIds: ["alice"], teamIds: [] },
    ],
    teams: [],
    users: [{ userId: "alice", orgId: "acme" }],
  });
  return started;
}

/** An authorizer and the faults it told. */
function open(server: PostgresServer = database().server, connections = 4) {
  const faults: DatabaseFault[] = [];
  const authorizer = createPostgresAuthorizer({
    server,
    connections,
    deadlineMs: DEADLINE_MS,
    onFault: (fault) => faults.push(fault),
  });
  const ask = () => withinDeadline(authorizer.authorize(ALICE), "a decision");
  return { ask, faults, authorizer, [Symbol.asyncDispose]: () => authorizer.close() };
}

async function recovers(ask: () => ReturnType<Authorizer["authorize"]>): Promise<void> {
  await eventually(async () => (await ask()).allowed, "the connector allows again");
}

for (const [transport, tls] of [["plaintext", undefined], ["TLS", identity.ca]] as const) {
  postgresTest(
    `a database killed under load over ${transport} refuses, and a restarted one allows`,
    async () => {
      await using own = await start();
      await using db = open({
        ...own.server,
        ...tls !== undefined && { tls: { ca: tls, serverName: "database.test" } },
      });
      assert.deepEqual(await db.ask(), ALLOWED);
      let running = true;
      const seen = new Set<string>();
      const load = Array.from({ length: 10 }, async () => {
        while (running) {
          const decision = await db.ask();
          seen.add(decision.allowed ? "allowed" : decision.cause);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      });
      await own.postgres.kill();
      await eventually(() => seen.has("unavailable"), "the connector refuses");
      assert.deepEqual(await db.ask(), UNAVAILABLE);
      await own.postgres.start();
      await recovers(db.ask);
      running = false;
      await Promise.all(load);
      // Nothing else was ever answered: a failing database is not mistaken for an empty one.
      assert.deepEqual([...seen].sort(), ["allowed", "unavailable"]);
    },
  );
}

postgresTest("a database that stops answering refuses at the deadline and recovers", async () => {
  await using db = open();
  assert.deepEqual(await db.ask(), ALLOWED);
  await database().postgres.pause();
  try {
    const many = await Promise.all(Array.from({ length: 20 }, () => db.ask()));
    assert.deepEqual(new Set(many.map((decision) => decision.allowed)), new Set([false]));
    assert.ok(db.faults.some(({ code }) => code === "DEADLINE"));
  } finally {
    await database().postgres.resume();
  }
  await recovers(db.ask);
});

postgresTest(
  "a locked table refuses by the server's own timeout and keeps the connections",
  async () => {
    await using db = open();
    assert.deepEqual(await db.ask(), ALLOWED);
    const sql = postgres({ ...database().postgres.address, max: 1, onnotice: () => {} });
    try {
      await sql.begin(async (transaction) => {
        await transaction.unsafe("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
        assert.deepEqual(await db.ask(), UNAVAILABLE);
      });
      // query_canceled
      assert.deepEqual(db.faults.map(({ code }) => code), ["57014"]);
      assert.deepEqual(await db.ask(), ALLOWED);
    } finally {
      await sql.end({ timeout: 5 });
    }
  },
);

postgresTest("a missing table and a missing right refuse, and say so to the log only", async () => {
  await using db = open();
  await database().postgres.run("ALTER TABLE teams RENAME TO teams_away");
  assert.deepEqual(await db.ask(), UNAVAILABLE);
  await database().postgres.run("ALTER TABLE teams_away RENAME TO teams");
  assert.deepEqual(await db.ask(), ALLOWED);
  await database().postgres.run("REVOKE SELECT ON users FROM tinyscale");
  assert.deepEqual(await db.ask(), UNAVAILABLE);
  await database().postgres.run("GRANT SELECT ON users TO tinyscale");
  assert.deepEqual(await db.ask(), ALLOWED);
  assert.deepEqual(db.faults.map(({ code }) => code), ["42P01", "42501"]);
});

postgresTest("a wrong password refuses and is in no fault", async () => {
  const password = "hunter2 hunter2";
  await using db = open({ ...database().server, password });
  assert.deepEqual(await db.ask(), UNAVAILABLE);
  const [fault] = db.faults;
  assert.equal(fault?.code, "28P01");
  assert.equal(Deno.inspect(db.faults, { showHidden: true, depth: 10 }).includes("hunter2"), false);
});

postgresTest(
  "TLS to the database is verified: authority, name, and that it is there at all",
  async () => {
    const tlsCases: [PostgresServer["tls"], boolean][] = [
      [{ ca: identity.ca, serverName: "database.test" }, true],
      [{ ca: identity.ca, serverName: "other.test" }, false],
      // By its address, which is in the certificate.
      [{ ca: identity.ca }, true],
      [{ ca: identity.ca, serverName: "192.0.2.1" }, false],
      [
        { ca: (await createAuthority({ commonName: "x" })).certPem, serverName: "database.test" },
        false,
      ],
      [{ serverName: "database.test" }, false],
    ];
    for (const [tls, allowed] of tlsCases) {
      await using db = open({ ...database().server, ...tls && { tls } });
      const decision = await db.ask();
      assert.equal(decision.allowed, allowed, JSON.stringify(tls?.serverName));
    }
    // A server (or someone in between) that answers "no TLS" gets no login.
    const received: Uint8Array[] = [];
    await using server = await listen((socket) => {
      socket.on("data", (bytes: Uint8Array) => {
        received.push(bytes);
        if (received.length === 1) socket.write("N");
      });
    });
    await using db = open({ ...server.address, tls: { ca: identity.ca } });
    assert.deepEqual(await db.ask(), UNAVAILABLE);
    assert.equal(received[0]?.length, 8);
    assert.equal(
      received.some((bytes) => new TextDecoder().decode(bytes).includes("tinyscale")),
      false,
    );
  },
);

/** A server that is no PostgreSQL. */
async function listen(onConnection: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    socket.resume();
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    sockets,
    address: { ...database().server, host: "127.0.0.1", port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const STRANGERS: [string, (socket: Socket) => void][] = [
  ["accepts and closes", (socket) => socket.end()],
  ["accepts and resets", (socket) => socket.resetAndDestroy()],
  ["accepts and says nothing", () => {}],
  ["speaks HTTP", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
  [
    "agrees to the login and closes",
    (socket) => socket.end(Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 0)),
  ],
  [
    "says that it is starting",
    (socket) =>
      socket.end(
        Uint8Array.of(0x45, 0, 0, 0, 0x0c, 0x43, ...[..."57P03"].map((c) => c.charCodeAt(0)), 0, 0),
      ),
  ],
  ["sends noise", (socket) => socket.write(crypto.getRandomValues(new Uint8Array(4096)))],
  [
    "asks for a login and hangs",
    (socket) => socket.write(Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 3)),
  ],
];
for (const [behaviour, onConnection] of STRANGERS) {
  postgresTest(`a server that ${behaviour} refuses without a storm of connections`, async () => {
    await using server = await listen(onConnection);
    await using db = open(server.address);
    const answers = await Promise.all(Array.from({ length: 20 }, db.ask));
    for (const answer of answers) assert.deepEqual(answer, UNAVAILABLE);
    assert.ok(server.sockets.length <= 60, `${server.sockets.length} connections`);
    await db.authorizer.close();
    await eventually(() => server.sockets.every(({ destroyed }) => destroyed), "sockets close");
  });
}

postgresTest("more requests than may wait are refused, the others at the deadline", async () => {
  await using server = await listen(() => {});
  await using db = open(server.address, 2);
  const answers = await Promise.all(Array.from({ length: 10_500 }, db.ask));
  assert.equal(answers.filter((answer) => !answer.allowed).length, 10_500);
  assert.ok(db.faults.some(({ code }) => code === "OVERLOADED"));
  assert.ok(server.sockets.length <= 8, `${server.sockets.length} connections`);
});

postgresTest("a rush of requests behind a locked table is answered once it is free", async () => {
  const sql = postgres({ ...database().postgres.address, max: 1, onnotice: () => {} });
  await using db = open(database().server, 2);
  try {
    // While the table is locked, everything behind the first two waits, and then goes together.
    const answers = await sql.begin(async (transaction) => {
      await transaction.unsafe("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
      return Array.from({ length: 900 }, db.ask);
    });
    for (const answer of await Promise.all(answers)) assert.deepEqual(answer, ALLOWED);
    assert.deepEqual(db.faults, []);
  } finally {
    await sql.end({ timeout: 5 });
  }
});
