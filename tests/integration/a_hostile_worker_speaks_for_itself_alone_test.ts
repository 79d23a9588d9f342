import assert from "node:assert/strict";
import type { SessionRequest } from "../../lib/connector/mod.ts";
import { compileFirewall } from "../../lib/firewall/mod.ts";
import type { ConnectionEvent, LogRecord } from "../../lib/observe/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { eventually } from "../support/deadline.ts";
import { listenerOf } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

const entry = new URL("../support/troubled_worker.ts", import.meta.url);

/** One worker that says what it is told to, and an admission that notes what it is asked. */
async function startHostile() {
  const logs: LogRecord[] = [];
  const events: ConnectionEvent[] = [];
  const admitted: SessionRequest[] = [];
  const left: string[] = [];
  const pool = await WorkerPool.start(1, {
    settings: { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 },
    firewall: { rules: compileFirewall([]) },
    listeners: [listenerOf(await unusedPort())],
  }, {
    entry,
    // It stands still: a machine that has no time to read a flood takes it for a trickle.
    now: () => 0,
    onEvent: (event) => events.push(event),
    log: (record) => logs.push(record),
    admission: {
      admit: (request) => {
        admitted.push(request);
        return Promise.resolve({ allowed: false, cause: "unknown_host" });
      },
      leave: (id) => left.push(id),
    },
  });
  return {
    logs,
    events,
    admitted,
    left,
    say: (message: unknown) => pool.closeConnection(`say ${JSON.stringify(message)}`),
    tell: (trouble: string) => pool.closeConnection(trouble),
    /** Why the worker was replaced, once it is. */
    async replaced(): Promise<string> {
      const died = () => logs.find(({ message }) => message === "worker died");
      await eventually(() => died() !== undefined, "the worker is replaced");
      await eventually(() => pool.status().workers[0]?.state === "serving", "a new one serves");
      return String(died()?.fields?.reason);
    },
    [Symbol.asyncDispose]: () => pool.drain(0),
  };
}

const session = { orgId: "o", userId: "u", connectId: "h", notAfter: 1e15 };

for (
  const [what, message, reason] of [
    ["asks for a session of another worker", {
      type: "admit",
      request: { ...session, id: "other0-1" },
    }, "a session of somebody else"],
    [
      "reports an event that is none",
      { type: "events", events: [{ outcome: "won" }] },
      "events: id",
    ],
    ["forges a field of the log", {
      type: "log",
      record: { level: "info", message: "m", fields: { "x\nlevel": 1 } },
    }, "record: fields: a field's name"],
    ["says what nobody says", { type: "constructor" }, "a message of unknown type"],
    ["says nothing", null, "a message of unknown type"],
  ] as const
) {
  Deno.test(`a worker that ${what} is replaced, and not believed`, async () => {
    await using hostile = await startHostile();
    await hostile.say(message);
    assert.match(await hostile.replaced(), new RegExp(`invalid message: ${reason}`));
    assert.deepEqual([hostile.events, hostile.admitted, hostile.left], [[], [], []]);
  });
}

Deno.test("a worker cannot end the session of another one", async () => {
  await using hostile = await startHostile();
  await hostile.say({ type: "leave", session: "other0-1" });
  await hostile.tell("nobody"); // Answered after it.
  assert.deepEqual(hostile.left, []);
});

Deno.test("a worker that floods the control plane is replaced", async () => {
  await using hostile = await startHostile();
  // What else it says counts, too: that it has started, and the end of each `tell()`.
  await hostile.tell("flood 99000");
  await hostile.tell("nobody");
  assert.ok(hostile.logs.every(({ message }) => message !== "worker died"));
  await hostile.tell("flood 1001");
  assert.match(await hostile.replaced(), /invalid message: too many of them/);
});
