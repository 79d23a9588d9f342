import assert from "node:assert/strict";
import { H2StateError } from "../../../lib/h2/error_codes.ts";
import { type OpenerHost, StreamOpener } from "../../../lib/h2/stream_opener.ts";

const REQUEST = { method: "GET", scheme: "https", authority: "a.test", path: "/", fields: [] };

/** A connection with room for two streams, of which one is open. */
function host(changes: Record<string, unknown> = {}) {
  let told = 0;
  const taken: number[] = [];
  const connection = {
    closed: false,
    draining: false,
    congested: false,
    limits: { maxOwnStreams: 2 },
    peer: { maxConcurrentStreams: 100 },
    handler: { onStreamAvailable: () => void told++ },
    streams: { hasLocalId: true, size: 1, nextLocalId: 3, takeLocalId: () => taken.push(3) },
    sender: { headers: () => {} },
    open: (id: number) => ({ id }),
    onLocalEnd: () => {},
    ...changes,
  };
  const opener = new StreamOpener(connection as unknown as OpenerHost);
  return { connection, opener, taken, told: () => told };
}

Deno.test("StreamOpener.canOpen wants room on both sides, a number, and a connection that goes on", () => {
  assert.equal(host().opener.canOpen, true);
  const streams = { hasLocalId: true, size: 1 };
  for (
    const [why, change] of Object.entries({
      "it is closed": { closed: true },
      "it drains": { draining: true },
      "much output waits": { congested: true },
      "the numbers are used up": { streams: { ...streams, hasLocalId: false } },
      "the peer takes no more": { peer: { maxConcurrentStreams: 1 } },
      "we want no more": { limits: { maxOwnStreams: 1 } },
    })
  ) {
    const { opener } = host(change);
    assert.equal(opener.canOpen, false, why);
    assert.throws(() => opener.request(REQUEST, true), H2StateError, why);
  }
});

Deno.test("StreamOpener.request() takes no number when the session ends of what is written", () => {
  const { connection, opener, taken } = host();
  connection.sender.headers = () => void (connection.closed = true);
  assert.throws(() => opener.request(REQUEST, true), H2StateError);
  assert.deepEqual(taken, []);
});

Deno.test("StreamOpener.announceRoom() tells once, and only whoever was refused before", () => {
  const { connection, opener, told } = host();
  opener.announceRoom();
  assert.equal(told(), 0, "nobody has asked");
  connection.congested = true;
  assert.equal(opener.canOpen, false);
  opener.announceRoom();
  assert.equal(told(), 0, "there is no room yet");
  connection.congested = false;
  opener.announceRoom();
  opener.announceRoom();
  assert.equal(told(), 1);
});
