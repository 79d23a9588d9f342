import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import type { TlsPeer } from "../support/clients.ts";
import { directoryOf, issueClient } from "../support/connector.ts";
import { postgresTest, startConnectorDatabase } from "../support/connector_database.ts";
import { startConnectorProcess } from "../support/connector_process.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";

/** Sessions that are open at the same time. */
const SESSIONS = 2_000;
/** Handshakes under way at a time; each costs both sides of this machine milliseconds. */
const AT_A_TIME = 50;
/** For two thousand handshakes on a loaded machine with two cores. */
const LOAD_DEADLINE_MS = 120_000;

const alice = await issueClient("acme", "alice");

Deno.test(`${SESSIONS} sessions are open together, and every one of them echoes`, async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnectorProcess({
    directory: directoryOf(backend.address),
    config: { server: { workers: 2 } },
  });
  const peers: TlsPeer[] = [];
  let next = 0;
  const lane = async () => {
    while (next++ < SESSIONS) peers.push(await connector.connect(alice));
  };
  try {
    const lanes = Promise.all(Array.from({ length: AT_A_TIME }, lane));
    await withinDeadline(lanes, "the handshakes", LOAD_DEADLINE_MS);
    await Promise.all(peers.map((peer) => peer.write("x")));
    const echoes = Promise.all(peers.map((peer) => peer.read(1)));
    await withinDeadline(echoes, "the echoes", LOAD_DEADLINE_MS);
    assert.equal(backend.open, SESSIONS);
    for (const peer of peers) peer.end();
    const ends = Promise.all(peers.map((peer) => peer.ending));
    assert.ok(
      (await withinDeadline(ends, "the ends", LOAD_DEADLINE_MS)).every((it) => it === "end"),
    );
  } finally {
    for (const peer of peers) await peer[Symbol.asyncDispose]();
  }
});

postgresTest(
  "sessions outlive a killed database, newcomers are refused until it is back",
  async () => {
    await using backend = await startEchoBackend();
    await using database = await startConnectorDatabase();
    const { hosts, teams, users } = directoryOf(backend.address);
    await database.fill({
      hosts: hosts.map((host) => ({ ...host, address: host.internalIpAddr })),
      teams,
      users,
    });
    await using connector = await startConnectorProcess({
      postgres: database.server,
      connector: { revalidate: "200ms", authorization_cache: "0s" },
    });
    const attempt = async (): Promise<boolean> => {
      await using peer = await connector.connect(alice);
      await peer.write("x").catch(() => {});
      const first = await Promise.race([peer.read(1).catch(() => undefined), peer.ending]);
      const entered = first instanceof Uint8Array;
      peer.end();
      return entered;
    };
    await using lasting = await connector.connect(alice);
    await lasting.write("a");
    await lasting.read(1);
    // Connections keep coming while the database dies and returns.
    let stop = false;
    const results: boolean[] = [];
    const load = Promise.all(Array.from({ length: 4 }, async () => {
      while (!stop) results.push(await attempt());
    }));
    await eventually(() => results.includes(true), "newcomers are let in");
    await database.postgres.kill();
    const before = results.length;
    await eventually(() => results.slice(before).includes(false), "newcomers are refused");
    await lasting.write("b");
    await lasting.read(1);
    await database.postgres.start();
    const after = results.length;
    await eventually(() => results.slice(after).includes(true), "newcomers are let in again");
    stop = true;
    await withinDeadline(load, "the load ends");
    await lasting.write("c");
    assert.equal(new TextDecoder().decode(await lasting.read(1)), "c");
    lasting.end();
    await lasting.ending;
    const refused = await connector.proxy.outcome("not_authorized");
    assert.equal(refused.reason, "unavailable");
  },
);
