import assert from "node:assert/strict";
import { REQUEST_BLOCK_BYTES } from "../../../lib/observe/mod.ts";
import { MessageError } from "../../../lib/workers/checks.ts";
import { checkMessage } from "../../../lib/workers/incoming.ts";
import { fuzzTest, type Random } from "../../support/fuzz.ts";

const connection = {
  id: "abc0-1",
  listener: ":443",
  peer: "192.0.2.1:1",
  client: "192.0.2.1:1",
  sni: "a.example",
  route: "a.example",
  mode: "l4",
  backend: "192.0.2.2:2",
  rule: "ip 192.0.2.1 (#1)",
  identity: "o/u",
  host: "h",
  outcome: "relayed",
  reason: "because",
  bytesIn: 1,
  bytesOut: 2,
  durationMs: 3.5,
};
const request = {
  request: "r",
  connection: "abc0-1",
  client: "192.0.2.1:1",
  method: "GET",
  host: "a.example",
  path: "/",
  route: "a.example",
  backend: "192.0.2.2:2",
  status: 200,
  grpcStatus: "0",
  bytesIn: 1,
  bytesOut: 2,
  durationMs: 3,
  upstreamMs: 1,
  protocol: "h2",
  backendProtocol: "http/1.1",
  policy: "p",
  reason: "because",
};
const info = { id: "abc0-1", listener: ":443", client: "c", bytesIn: 0, bytesOut: 0, ageMs: 1 };
const counted = { listener: ":443", route: "a.example", connections: 1, bytesIn: 2, bytesOut: 3 };
const session = { id: "abc0-1", orgId: "o", userId: "u", connectId: "h", notAfter: 1e12 };

/** What workers say, each with all that it may hold; and what they were asked. */
const hitters = {
  group: "client",
  by: "refused",
  keys: ["192.0.2.1"],
  counts: [7],
  errors: [1],
  missed: 1,
  total: 9,
};

const HONEST: readonly [message: Record<string, unknown>, asked?: string][] = [
  [{ type: "events", events: [connection, connection] }],
  [{ type: "access_log", events: [request] }],
  [{ type: "requests", route: "a.example", block: new SharedArrayBuffer(REQUEST_BLOCK_BYTES) }],
  [{ type: "admit", request: session }],
  [{ type: "leave", session: "abc0-1" }],
  [{
    type: "log",
    record: { level: "error", message: "m", fields: { error: "e", count: 1, is: true } },
  }],
  [{ type: "reply", id: 1, error: "refused" }, "apply"],
  [{ type: "reply", id: 1 }, "drain"],
  [{ type: "reply", id: 1, value: true }, "close_connection"],
  [{ type: "reply", id: 1, value: { connections: [info], total: 5 } }, "find_connections"],
  [{ type: "reply", id: 1, value: 3 }, "close_connections"],
  [{ type: "reply", id: 1, value: [counted] }, "live_traffic"],
  [
    {
      type: "reply",
      id: 1,
      value: {
        ruleHits: [[1, 2]],
        routes: [counted],
        backends: [{
          ...{ listener: ":443", route: "a.test", backend: "10.0.0.1:443" },
          outcome: "backend_reset",
          count: 2,
        }],
        hitters: [hitters],
      },
    },
    "take_counts",
  ],
];

const check = (message: unknown, asked?: string) =>
  checkMessage(message, (id) => id === 1 ? asked as "ping" | undefined : undefined);

for (const [message, asked] of HONEST) {
  const name = `${message.type} ${asked ?? ""}`.trim();
  Deno.test(`checkMessage() takes ${name} as it is, and copies it`, () => {
    const taken = check(message, asked);
    assert.deepEqual(taken, message);
    assert.notEqual(taken, message);
  });

  Deno.test(`checkMessage() refuses ${name} with any part of it broken`, () => {
    let broken = 0;
    for (const [copy, path] of breakEachPart(message)) {
      try {
        check(copy, asked);
      } catch (error) {
        assert(error instanceof MessageError, `${path}: ${error}`);
        broken++;
        continue;
      }
      assert.fail(`${path} was accepted`);
    }
    assert(broken > 0 || asked === "drain");
  });
}

/** Copies, in each of which one part is something else than it should be. */
function* breakEachPart(
  value: unknown,
  path = "",
): Generator<[copy: unknown, path: string]> {
  if (value instanceof SharedArrayBuffer) {
    yield [new SharedArrayBuffer(value.byteLength - 1), path];
    return;
  }
  if (typeof value === "object" && value !== null) {
    const isList = Array.isArray(value);
    for (const [key, part] of Object.entries(value)) {
      if (path === "" && key === "id") continue; // An answer to nothing is nobody's.
      for (const [copy, at] of breakEachPart(part, `${path}.${key}`)) {
        yield [
          isList ? value.with(Number(key), copy) : { ...value as object, [key]: copy },
          at,
        ];
      }
    }
  }
  if (path !== "") yield [Symbol.for("never"), path];
}

Deno.test("checkMessage() leaves behind what a message should not have", () => {
  const taken = check({ type: "leave", session: "abc0-1", extra: 1, __proto__: { x: 1 } });
  assert.deepEqual(taken, { type: "leave", session: "abc0-1" });
});

Deno.test("checkMessage() cuts strangers' words and refuses identifiers that are too long", () => {
  const long = "x".repeat(100_000);
  const taken = check({ type: "events", events: [{ ...connection, sni: long }] });
  assert(taken.type === "events");
  assert.equal(taken.events[0]?.sni?.length, 1024);
  assert.throws(() => check({ type: "leave", session: long }), MessageError);
  assert.throws(
    () => check({ type: "admit", request: { ...session, userId: long } }),
    MessageError,
  );
});

Deno.test("checkMessage() takes 256 events at a time and not one more", () => {
  const events = Array.from({ length: 256 }, () => connection);
  check({ type: "events", events });
  assert.throws(() => check({ type: "events", events: [...events, connection] }), MessageError);
});

Deno.test("checkMessage() refuses numbers that are none, and field names of a stranger", () => {
  for (const bytesIn of [NaN, Infinity, -1, "1", 1n]) {
    assert.throws(
      () => check({ type: "events", events: [{ ...connection, bytesIn }] }),
      MessageError,
    );
  }
  for (const name of ["a b", "a\n", "", "x".repeat(65), "__proto__"]) {
    const fields = Object.fromEntries([[name, 1]]);
    assert.throws(
      () => check({ type: "log", record: { level: "info", message: "m", fields } }),
      MessageError,
    );
  }
});

Deno.test("checkMessage() drops the value of an answer that nobody waits for", () => {
  assert.deepEqual(check({ type: "reply", id: 2, value: "anything" }), { type: "reply", id: 2 });
});

fuzzTest("checkMessage() takes or refuses whatever a worker sends", (random) => {
  for (let i = 0; i < 20_000; i++) {
    const [message, asked] = random.pick(HONEST);
    const hostile = random.below(4) === 0 ? anything(random, 4) : mutateTree(message, random);
    try {
      check(hostile, asked);
    } catch (error) {
      assert(error instanceof MessageError, `${Deno.inspect(hostile)}: ${error}`);
    }
  }
});

/** A value that structured cloning can carry. */
function anything(random: Random, depth: number): unknown {
  const leaves = [0, -1, NaN, 1e308, "", "x".repeat(5000), null, undefined, true, 7n, new Date(0)];
  if (depth === 0 || random.below(3) === 0) return random.pick(leaves);
  const parts = Array.from({ length: random.below(4) }, () => anything(random, depth - 1));
  const keys = ["type", "id", "events", "request", "length", "__proto__", "value", "toString"];
  switch (random.below(4)) {
    case 0:
      return parts;
    case 1:
      return new Map(parts.map((part) => [part, part]));
    case 2:
      return random.bytes(random.below(20));
    default:
      return Object.fromEntries(parts.map((part) => [random.pick(keys), part]));
  }
}

function mutateTree(value: unknown, random: Random): unknown {
  if (random.below(8) === 0) return anything(random, 3);
  if (Array.isArray(value)) return value.map((part) => mutateTree(part, random));
  if (typeof value !== "object" || value === null || value instanceof SharedArrayBuffer) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map((
      [key, part],
    ) => [key, key === "type" ? part : mutateTree(part, random)]),
  );
}
