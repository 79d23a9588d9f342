import assert from "node:assert/strict";
import type { SessionEnd } from "../../../lib/connector/mod.ts";
import type { FromWorker } from "../../../lib/plane/mod.ts";
import { RemoteGatekeeper } from "../../../lib/workers/remote_gatekeeper.ts";

const REQUEST = { id: "s1", orgId: "acme", userId: "alice", connectId: "web", notAfter: 0 };
const YES = { allowed: true, address: "10.0.0.5" } as const;

function open(timeoutMs?: number): { gatekeeper: RemoteGatekeeper; sent: FromWorker[] } {
  const sent: FromWorker[] = [];
  return { gatekeeper: new RemoteGatekeeper((message) => sent.push(message), timeoutMs), sent };
}

Deno.test("RemoteGatekeeper asks, takes the answer, and says when the session leaves", async () => {
  const { gatekeeper, sent } = open();
  const asking = gatekeeper.admit(REQUEST, () => assert.fail());
  gatekeeper.receive({ type: "decision", session: "s1", decision: YES });
  assert.deepEqual(await asking, YES);
  gatekeeper.leave("s1");
  gatekeeper.leave("s1");
  assert.deepEqual(sent, [{ type: "admit", request: REQUEST }, { type: "leave", session: "s1" }]);
});

Deno.test("RemoteGatekeeper refuses when no answer comes, and drops one that is late", async () => {
  const { gatekeeper } = open(5);
  const decision = await gatekeeper.admit(REQUEST, () => assert.fail());
  assert.deepEqual(decision, { allowed: false, cause: "unavailable" });
  gatekeeper.receive({ type: "decision", session: "s1", decision: YES });
  gatekeeper.leave("s1");
});

Deno.test("RemoteGatekeeper passes the end of a session on, and still says that it left", async () => {
  const { gatekeeper, sent } = open();
  const ends: SessionEnd[] = [];
  const asking = gatekeeper.admit(REQUEST, (end) => ends.push(end));
  gatekeeper.receive({ type: "decision", session: "s1", decision: YES });
  await asking;
  gatekeeper.receive({ type: "end_session", session: "s1", end: { reason: "host_moved" } });
  gatekeeper.leave("s1");
  gatekeeper.receive({ type: "end_session", session: "s1", end: { reason: "host_moved" } });
  assert.deepEqual(ends, [{ reason: "host_moved" }]);
  assert.equal(sent.at(-1)?.type, "leave");
});
