import assert from "node:assert/strict";
import { CLIENT_PREFACE, EDGE_LIMITS, ErrorCode, FrameType } from "../../../lib/h2/mod.ts";
import { assertCalmed, CALM, flood, read } from "../../support/h2_flood.ts";
import { get, Pair } from "../../support/h2_pair.ts";
import { frame, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";

Deno.test("H2Session ends with a peer that pings and never reads", () => {
  const control = { burst: 1e9, perSecond: 1e9 };
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, control } });
  const pings = new Uint8Array(17 * 100);
  for (let i = 0; i < 100; i++) pings.set(frame(FrameType.ping, 0, 0, new Uint8Array(8)), i * 17);
  let congested = false;
  const done = flood(peer, () => {
    peer.send(pings);
    congested ||= peer.session.congested;
  });
  assert(congested, "a well-behaved owner was told to stop reading");
  assert(peer.session.pendingOutput < EDGE_LIMITS.maxOutput + 1000);
  assertCalmed(peer, done);
});

Deno.test("H2Session queues content, not output, for a peer that does not read", () => {
  const pair = new Pair();
  pair.serverSide.request = ({ stream }) => {
    stream.respond({ status: 200, fields: [] });
    for (let i = 0; i < 4; i++) stream.sendData(new Uint8Array(16384));
  };
  pair.run();
  for (let i = 0; i < 50; i++) pair.client.request(get("/"), true);
  pair.toServer();
  assert(pair.server.pendingOutput < EDGE_LIMITS.outputHighWater + 2 * 16384);
  assert(pair.server.congested);
});

const { stallTimeoutMs, minProgress } = EDGE_LIMITS;

/** Opens the windows of streams with 60,000 octets to send to just before the stall time is over. */
function stall(windows: { connection: number; streams: readonly number[] }) {
  const peer = new RawPeer();
  peer.send(frame(FrameType.settings, 0, 0, setting(4, 10)));
  const ids = windows.streams.map(() => peer.open());
  for (const id of ids) {
    const stream = peer.recorder.streams.get(id)?.stream;
    stream?.respond({ status: 200, fields: [] });
    stream?.sendData(new Uint8Array(60_000), true);
  }
  peer.session.takeOutput();
  peer.now = stallTimeoutMs - 1;
  if (windows.connection > 0) {
    peer.send(frame(FrameType.windowUpdate, 0, 0, u32(windows.connection)));
  }
  for (const [i, octets] of windows.streams.entries()) {
    if (octets === 0) continue;
    peer.send(frame(FrameType.windowUpdate, 0, ids[i] ?? 0, u32(octets)));
  }
  peer.session.takeOutput();
  peer.session.tick(peer.now);
  for (const id of ids) assert.equal(peer.recorder.streams.get(id)?.reset, undefined);
  peer.session.tick(stallTimeoutMs);
  return { peer, ids };
}

Deno.test("H2Session resets a stream whose window stays nearly closed, and only that one", () => {
  // A kilobyte a minute is not reading, and neither is one octet less than the progress asked for.
  const streams = [1024, minProgress - 11, minProgress - 10, minProgress];
  const { peer, ids } = stall({ connection: 1_000_000, streams });
  const resets = peer.frames().filter(({ type }) => type === FrameType.rstStream);
  assert.deepEqual(resets.map(({ streamId }) => streamId), ids.slice(0, 2));
  assert.equal(peer.recorder.streams.get(ids[0] ?? 0)?.reset?.by, "rules");
  assert.equal(peer.recorder.streams.get(ids[2] ?? 0)?.reset, undefined);
  assert.equal(peer.session.openStreams, 2);
  // The next minute is measured by itself.
  peer.session.tick(2 * stallTimeoutMs);
  assert.equal(peer.session.openStreams, 0);
});

Deno.test("H2Session does not blame a connection with an open window for its streams", () => {
  const { peer } = stall({ connection: 1_000_000, streams: [1024, 0, 0] });
  assert(!peer.session.closed);
  assert.equal(peer.session.openStreams, 0);
});

Deno.test("H2Session does not blame a stream with an open window for a slow connection", () => {
  const streams = Array.from({ length: 10 }, () => 1_000_000);
  const { peer, ids } = stall({ connection: 60_000, streams });
  assert.deepEqual(ids.map((id) => peer.recorder.streams.get(id)?.reset), ids.map(() => undefined));
  assert(peer.session.openStreams > 5, "most had to wait for the connection's window");
  assert(!peer.session.closed);
});

Deno.test("H2Session ends with a peer that opens the connection's window drop by drop", () => {
  // 65,535 octets are gone at once; 600,000 wait for a peer that lets a kilobyte a minute through.
  const peer = new RawPeer();
  peer.send(frame(FrameType.settings, 0, 0, setting(4, 1_000_000)));
  for (let i = 0; i < 10; i++) {
    const stream = peer.recorder.streams.get(peer.open())?.stream;
    stream?.respond({ status: 200, fields: [] });
    stream?.sendData(new Uint8Array(66_000), true);
  }
  peer.session.takeOutput();
  // The first minute has the octets that went at once.
  peer.session.tick(stallTimeoutMs);
  peer.session.takeOutput();
  assert(!peer.session.closed);
  peer.now = 2 * stallTimeoutMs - 1;
  peer.send(frame(FrameType.windowUpdate, 0, 0, u32(30_000)));
  peer.session.takeOutput();
  peer.session.tick(2 * stallTimeoutMs - 1);
  assert(!peer.session.closed);
  // Half as much again as a stream would need, but not a sixteenth of what waits.
  peer.session.tick(2 * stallTimeoutMs);
  assert.equal(peer.recorder.closed?.reason, "peer keeps its window closed");
  assert.equal(peer.goaway(), CALM);
});

const DONE: Record<string, (peer: RawPeer, id: number) => void> = {
  "was taken": (peer) => peer.send(frame(FrameType.windowUpdate, 0, 0, u32(100_000 - 65_535))),
  "was reset": (peer, id) => peer.rst(id),
};
for (const [name, finish] of Object.entries(DONE)) {
  Deno.test(`H2Session does not wait for the window of a connection when all ${name}`, () => {
    const peer = new RawPeer();
    peer.send(frame(FrameType.settings, 0, 0, setting(4, 1_000_000)));
    const id = peer.open();
    const stream = peer.recorder.streams.get(id)?.stream;
    stream?.respond({ status: 200, fields: [] });
    stream?.sendData(new Uint8Array(100_000), true);
    peer.session.takeOutput();
    finish(peer, id);
    for (let minute = 1; minute < 4; minute++) {
      peer.session.takeOutput();
      peer.session.tick(minute * stallTimeoutMs);
    }
    assert(!peer.session.closed, "its window is closed, and nothing is to go through it");
    assert.equal(peer.session.openStreams, 0);
  });
}

Deno.test("H2Session stops a peer that opens its window octet by octet", () => {
  const peer = new RawPeer();
  peer.send(frame(FrameType.settings, 0, 0, setting(4, 0)));
  const id = peer.open();
  const stream = peer.recorder.streams.get(id)?.stream;
  stream?.respond({ status: 200, fields: [] });
  stream?.sendData(new Uint8Array(50_000), true);
  assertCalmed(
    peer,
    flood(peer, () => {
      peer.send(frame(FrameType.windowUpdate, 0, id, u32(1)));
      read(peer);
    }),
  );
});

Deno.test("H2Session ends when output waits for longer than the stall timeout", () => {
  const peer = new RawPeer();
  peer.send(frame(FrameType.ping, 0, 0, new Uint8Array(8)));
  peer.session.tick(EDGE_LIMITS.stallTimeoutMs);
  assert.equal(peer.goaway(), CALM);
});

Deno.test("H2Session ends a header block without end", () => {
  const peer = new RawPeer();
  peer.now = 5;
  peer.send(frame(FrameType.headers, 0, 1, peer.block(REQUEST)));
  peer.session.tick(EDGE_LIMITS.headerBlockTimeoutMs);
  assert(!peer.session.closed);
  peer.session.tick(EDGE_LIMITS.headerBlockTimeoutMs + 5);
  assert.equal(peer.goaway(), CALM);
});

Deno.test("H2Session ends a frame that comes octet by octet, but not a stream of cut frames", () => {
  const peer = new RawPeer();
  const bytes = peer.headers(1, REQUEST);
  for (let at = 0; at < bytes.length; at++) {
    peer.now += EDGE_LIMITS.headerBlockTimeoutMs / 10;
    peer.send(bytes.subarray(at, at + 1));
    peer.session.tick(peer.now);
    if (peer.session.closed) break;
  }
  assert.equal(peer.recorder.closed?.reason, "frame not finished in time");
  const honest = new RawPeer();
  const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
  honest.send(ping.subarray(0, 5));
  for (let i = 0; i < 20; i++) {
    honest.now += EDGE_LIMITS.headerBlockTimeoutMs - 1;
    honest.send(Uint8Array.of(...ping.subarray(5), ...ping.subarray(0, 5)));
    honest.session.takeOutput();
    honest.session.tick(honest.now);
  }
  assert(!honest.session.closed);
});

Deno.test("H2Session ends with a peer that sends no preface, or half of one", () => {
  for (const sent of [0, 10, 24]) {
    const peer = new RawPeer({ greet: false });
    peer.send(CLIENT_PREFACE.subarray(0, sent));
    peer.session.takeOutput();
    peer.session.tick(EDGE_LIMITS.prefaceTimeoutMs);
    assert.equal(peer.goaway(), ErrorCode.settingsTimeout);
  }
});

Deno.test("H2Session ends with a peer that does not acknowledge SETTINGS", () => {
  const peer = new RawPeer({ greet: false });
  peer.send(CLIENT_PREFACE, frame(FrameType.settings, 0, 0));
  peer.session.takeOutput();
  peer.session.tick(EDGE_LIMITS.settingsTimeoutMs);
  assert.equal(peer.goaway(), ErrorCode.settingsTimeout);
});

Deno.test("H2Session ends with a peer that does not answer PING", () => {
  const peer = new RawPeer();
  peer.session.ping();
  peer.session.takeOutput();
  peer.session.tick(EDGE_LIMITS.pingTimeoutMs);
  assert.equal(peer.recorder.closed?.reason, "no answer to PING");
});
