/** What a session that asks makes of what its backend says. */
import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  ErrorCode,
  FrameType,
  H2Session,
  H2StateError,
  SettingId,
} from "../../../lib/h2/mod.ts";
import { get, post, Recorder } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";

const { protocolError, refusedStream } = ErrorCode;
const { data, goaway, settings } = FrameType;

Deno.test("H2Session as a client knows a peer that speaks HTTP/1.1 by its first octets", () => {
  const recorder = new Recorder();
  const client = new H2Session({ role: "client", handler: recorder, now: 0 });
  const stream = client.request(get("/"), true);
  client.receive(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"), 1);
  assert.equal(client.settingsReceived, false);
  assert.equal(recorder.closed?.by, "rules");
  assert.equal(recorder.seen(stream).reset?.retryable, true);
});

Deno.test("H2Session as a client resets on GOAWAY and takes the rest of the others", () => {
  const peer = new RawPeer({ role: "client" });
  const [kept, lost] = [peer.session.request(post("/1")), peer.session.request(post("/2"))];
  peer.send(frame(goaway, 0, 0, [...u32(kept.id), ...u32(0), 0x62, 0x79, 0x65]));
  assert.deepEqual(peer.recorder.goaways, [[0, kept.id]]);
  assert.equal(peer.recorder.seen(lost).reset?.retryable, true);
  peer.send(peer.headers(kept.id, [":status", "200"]));
  assert.equal(peer.recorder.seen(kept).response?.status, 200);
  kept.sendData(new Uint8Array(0), true);
  assert.equal(peer.recorder.closed?.reason, "drained");
});

Deno.test("H2Session as a client may retry what was refused, and only that", () => {
  const peer = new RawPeer({ role: "client" });
  const codes = [refusedStream, ErrorCode.cancel, ErrorCode.noError];
  const retryable = codes.map((code) => {
    const stream = peer.session.request(post("/"));
    peer.rst(stream.id, code);
    return peer.recorder.seen(stream).reset?.retryable;
  });
  assert.deepEqual(retryable, [true, false, false]);
});

Deno.test("H2Session as a client takes RST_STREAM(NO_ERROR) after a whole response as its end", () => {
  const peer = new RawPeer({ role: "client" });
  const stream = peer.session.request(post("/"));
  peer.send(peer.headers(stream.id, [":status", "413"]));
  peer.rst(stream.id, ErrorCode.noError);
  const seen = peer.recorder.seen(stream);
  assert.deepEqual([seen.reset, seen.closedInOrder, stream.closed], [undefined, true, true]);
});

Deno.test("H2Session as a client refuses DATA before the head and HEADERS on new streams", () => {
  const early = new RawPeer({ role: "client" });
  const stream = early.session.request(get("/"), true);
  early.send(frame(data, 0, stream.id, [1]));
  assert.equal(early.resetCode(stream.id), protocolError);
  for (const id of [2, 3]) {
    const peer = new RawPeer({ role: "client" });
    peer.send(peer.headers(id, [":status", "200"]));
    assert.equal(peer.goaway(), protocolError);
  }
});

Deno.test("H2Session as a client opens no stream while the backend does not read", () => {
  const peer = new RawPeer({ role: "client" });
  let opened = 0;
  while (peer.session.canOpenStream) {
    peer.session.request(get("/", ["x-large", "v".repeat(60_000)]), true);
    opened++;
  }
  assert(opened < 10, `${opened} requests`);
  assert.throws(() => peer.session.request(get("/"), true), H2StateError);
  peer.session.takeOutput();
  assert.equal(peer.recorder.available, 1);
  assert(peer.session.canOpenStream);
});

Deno.test("H2Session as a client ignores late answers to any number of requests it cancelled", () => {
  const peer = new RawPeer({
    role: "client",
    limits: { ...BACKEND_LIMITS, maxOwnStreams: 5000 },
  });
  peer.send(frame(settings, 0, 0, setting(SettingId.maxConcurrentStreams, 2000)));
  const streams = Array.from({ length: 1000 }, () => peer.session.request(get("/"), true));
  for (const stream of streams) stream.reset(ErrorCode.cancel);
  for (const { id } of streams) {
    peer.send(peer.headers(id, [":status", "200"], false), frame(data, 1, id, [1]));
  }
  assert(!peer.session.closed);
});

Deno.test("H2Session as a client may not be sent ENABLE_PUSH = 1", () => {
  const peer = new RawPeer({ role: "client" });
  peer.send(frame(settings, 0, 0, setting(SettingId.enablePush, 1)));
  assert.equal(peer.goaway(), protocolError);
});
