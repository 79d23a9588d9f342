import assert from "node:assert/strict";
import type { SessionEnd } from "../../../lib/connector/mod.ts";
import type { FromWorker } from "../../../lib/plane/mod.ts";
import { RemoteAdmission } from "../../../lib/workers/remote_admission.ts";

const REQUEST = { id: "s1", orgId: "acme", userId: "alice", connectId: "web", notAfter: 0 };
const YES = { allowed: true, address: "10.0.0.5" } as const;

function open(timeoutMs?: number): { admission: RemoteAdmission; sent: FromWorker[] } {
  const sent: FromWorker[] = [];
  return { admission: new RemoteAdmission((message) => sent.push(message), timeoutMs), sent };
}

Deno.test("RemoteAdmission asks, takes the answer, and says when the session leaves", async () => {
  const { admission, sent } = open();
  const asking = admission.admit(REQUEST, () => assert.fail());
  admission.receive({ type: "decision", session: "s1", decision: YES });
  assert.deepEqual(await asking, YES);
  admission.leave("s1");
  admission.leave("s1");
  assert.deepEqual(sent, [{ type: "admit", request: REQUEST }, { type: "leave", session: "s1" }]);
});

Deno.test("RemoteAdmission refuses when no answer comes, and drops one that is late", async () => {
  const { admission } = open(5);
  const decision = await admission.admit(REQUEST, () => assert.fail());
  assert.deepEqual(decision, { allowed: false, cause: "unavailable" });
  admission.receive({ type: "decision", session: "s1", decision: YES });
  admission.leave("s1");
});

Deno.test("RemoteAdmission passes the end of a session on, and still says that it left", async () => {
  const { admission, sent } = open();
  const ends: SessionEnd[] = [];
  const asking = admission.admit(REQUEST, (end) => ends.push(end));
  admission.receive({ type: "decision", session: "s1", decision: YES });
  await asking;
  admission.receive({ type: "end_session", session: "s1", end: { reason: "host_moved" } });
  admission.leave("s1");
  admission.receive({ type: "end_session", session: "s1", end: { reason: "host_moved" } });
  assert.deepEqual(ends, [{ reason: "host_moved" }]);
  assert.equal(sent.at(-1)?.type, "leave");
});
