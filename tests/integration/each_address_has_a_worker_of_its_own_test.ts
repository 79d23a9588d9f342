import assert from "node:assert/strict";
import { type OctetString, octetString } from "../../lib/dns/mod.ts";
import { DnsPool, type DnsPoolOptions } from "../../lib/dns_server/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import { amendZone, applyZoneChange, type ZoneChange, ZoneTable } from "../../lib/zones/mod.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { unusedPort } from "../support/ports.ts";
import { servingSettings, StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";

const MORTAL = new URL("../support/mortal_dns_worker.ts", import.meta.url);
const HOSTS = ["127.0.0.1", "127.0.0.2"];
const remove = (origin: OctetString): ZoneChange => ({ kind: "remove", origin });

/** A pool at two addresses, with the table that a control plane would have. */
async function startPool(changes: Partial<DnsPoolOptions> = {}) {
  let table = new ZoneTable([zoneOf("z.example", `${APEX}a A 192.0.2.1\n`)]);
  const logged: LogRecord[] = [];
  const pool = await DnsPool.start({
    addresses: HOSTS.map((host) => ({ host, port: 0 })),
    settings: servingSettings(),
    sockets: "handles",
    zones: () => table,
    log: (record) => logged.push(record),
    onStuck: () => {},
    ...changes,
  });
  const ports = pool.status.map(({ port }) => port);
  const codeAt = async (index: number, question: string) => {
    using udp = new UdpClient({ host: HOSTS[index] as string, port: ports[index] as number });
    return readAnswer(await udp.ask(queryFor(question)));
  };
  const apply = async (change: ZoneChange) => {
    const result = await pool.apply(change);
    table = applyZoneChange(table, change);
    return result;
  };
  return { pool, ports, logged, codeAt, apply };
}

Deno.test("each address is served by a worker, whose zones change with the others'", async () => {
  const { pool, ports, codeAt, apply } = await startPool();
  await using _pool = pool;
  const names = Array.from({ length: 2500 }, (_, i) => `n${i} A 192.0.2.7`).join("\n");
  const large = zoneOf("large.example", `${APEX}${names}\n`);
  assert.deepEqual(await apply({ kind: "set", zone: large }), { pendingWorkers: [] });
  const name = octetString(nameOf("n2499.large.example"));
  const amended = [{ name, type: 1, set: { type: 1, ttl: 5, data: ["\x0a\0\0\x01"] } }];
  await apply({ kind: "amend", origin: large.origin, sets: amended });
  for (const index of [0, 1]) {
    assert.deepEqual((await codeAt(index, "a.z.example A")).answer, [
      "a.z.example. 300 A 192.0.2.1",
    ]);
    assert.equal((await codeAt(index, "n0.large.example A")).answer.length, 1);
    assert.deepEqual((await codeAt(index, "n2499.large.example A")).answer, [
      "n2499.large.example. 5 A 10.0.0.1",
    ]);
    assert.equal((await codeAt(index, "no.large.example A")).code, 3);
  }
  assert.deepEqual(amendZone(large, amended).serial, large.serial);
  await apply(remove(large.origin));
  for (const index of [0, 1]) assert.equal((await codeAt(index, "n0.large.example A")).code, 5);
  assert.deepEqual(pool.status.map(({ counters }) => counters.get("udp_messages")), [5, 5]);
  using tcp = await StreamClient.connect({ host: HOSTS[1] as string, port: ports[1] as number });
  assert.equal(readAnswer(await tcp.ask(queryFor("a.z.example A"))).answer.length, 1);
});

Deno.test("a worker that dies is replaced, with all changes, and the others go on", async () => {
  const { pool, codeAt, apply, logged } = await startPool({ entry: MORTAL });
  await using _pool = pool;
  const later = zoneOf("later.example", `${APEX}a A 192.0.2.2\n`);
  await apply({ kind: "set", zone: later });
  const before = pool.status.map(({ port }) => port);
  await apply(remove("\x03die\0"));
  await eventually(
    () => pool.status.every(({ state, restarts }) => state === "serving" && restarts === 1),
    "both serve again",
  );
  assert.deepEqual(pool.status.map(({ port }) => port), before);
  for (const index of [0, 1]) {
    assert.equal((await codeAt(index, "a.later.example A")).answer.length, 1);
    assert.equal((await codeAt(index, "a.z.example A")).answer.length, 1);
  }
  assert.equal(logged.filter(({ message }) => message.endsWith("is served again")).length, 2);
});

Deno.test("a worker that says what none of ours says is replaced, and not believed", async () => {
  const asked: unknown[] = [];
  const answer = (what: unknown) => {
    asked.push(what);
    return Promise.resolve(undefined);
  };
  const { pool, codeAt, apply, logged } = await startPool({ entry: MORTAL, answer });
  await using _pool = pool;
  await apply(remove("\x03lie\0"));
  await eventually(
    () => pool.status.every(({ state, restarts }) => state === "serving" && restarts === 1),
    "both serve again",
  );
  assert.deepEqual(asked, []);
  const reasons = logged.filter(({ message }) => message === "the server of an address ended")
    .map(({ fields }) => fields?.reason);
  const reason = "it sent an invalid message: what: octets: not octets, at most 65535";
  assert.deepEqual(reasons, [reason, reason]);
  assert.equal((await codeAt(0, "a.z.example A")).answer.length, 1);
});

Deno.test("a worker gets no answer to more than 256 questions at a time, and serves on", async () => {
  const answers: PromiseWithResolvers<undefined>[] = [];
  const answer = () => {
    const pending = Promise.withResolvers<undefined>();
    answers.push(pending);
    return pending.promise;
  };
  const { pool, codeAt, apply } = await startPool({ entry: MORTAL, answer });
  await using _pool = pool;
  await apply(remove("\x03beg\0"));
  await eventually(() => answers.length >= 2 * 256, "both workers have asked");
  // What was sent before this question was asked before it is answered.
  for (const index of [0, 1]) await codeAt(index, "a.z.example A");
  await apply(remove("\x04none\0"));
  assert.equal(answers.length, 2 * 256);
  for (const { resolve } of answers) resolve(undefined);
  await apply(remove("\x03beg\0"));
  await eventually(() => answers.length === 4 * 256, "their places were given back");
  for (const { resolve } of answers) resolve(undefined);
});

Deno.test("a change that a worker refuses is refused", async () => {
  const { pool, codeAt } = await startPool({ entry: MORTAL });
  await using _pool = pool;
  await assert.rejects(pool.apply(remove("\x06refuse\0")), /refused by the test/);
  assert.equal((await codeAt(0, "a.z.example A")).code, 0);
});

Deno.test("an address that is taken is said, and none is served then", async () => {
  const port = await unusedPort();
  using _taken = new UdpClient({ host: HOSTS[1] as string, port: 53 }, { fromPort: port });
  await assert.rejects(
    startPool({ addresses: HOSTS.map((host) => ({ host, port })) }),
    (error: Error) => error.message.startsWith(`cannot serve DNS at 127.0.0.2:${port}: `),
  );
});

Deno.test("a pool that drains answers no more", async () => {
  const { pool, ports } = await startPool();
  await pool.drain(1000);
  const at = { hostname: HOSTS[0] as string, port: ports[0] as number };
  await assert.rejects(Deno.connect(at), Deno.errors.ConnectionRefused);
});
