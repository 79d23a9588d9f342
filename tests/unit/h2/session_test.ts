import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  H2StateError,
} from "../../../lib/h2/mod.ts";
import { content, type Cut, get, Pair, post, singly, uncut } from "../../support/h2_pair.ts";
import { frame, RawPeer, REQUEST } from "../../support/h2_raw.ts";

function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);
}

const CUTS: Record<string, Cut> = { "in one piece": uncut, "octet by octet": singly };

for (const [name, cut] of Object.entries(CUTS)) {
  Deno.test(`H2Session carries a request, content, 1xx and trailers ${name}`, () => {
    const pair = new Pair({ cut });
    pair.serverSide.request = ({ stream }) => {
      stream.respond({ status: 103, fields: ["link", "</a.css>"] });
    };
    pair.serverSide.data = ({ stream }, chunk, endStream) => {
      if (!stream.responded) {
        stream.respond({ status: 200, fields: ["content-type", "text/plain"] });
      }
      stream.sendData(chunk.slice());
      if (endStream) stream.sendTrailers(["grpc-status", "0"]);
    };
    const stream = pair.client.request(
      post("/echo", ["te", "trailers", "cookie", "a=1", "cookie", "b=2"]),
    );
    const body = bytes(50_000);
    stream.sendData(body.subarray(0, 20_000));
    stream.sendData(body.subarray(20_000), true);
    pair.run();
    const answer = pair.clientSide.seen(stream);
    assert.equal(answer.response?.status, 200);
    assert.deepEqual(answer.response?.fields, ["content-type", "text/plain"]);
    assert.deepEqual(answer.informational.map((head) => head.status), [103]);
    assert.deepEqual(content(answer), body);
    assert.deepEqual(answer.trailers, ["grpc-status", "0"]);
    assert(answer.closedInOrder);
    const request = pair.serverSide.streams.get(1);
    assert.deepEqual(request?.request?.fields, ["te", "trailers", "cookie", "a=1; b=2"]);
    assert(request?.closedInOrder);
    assert.equal(pair.client.openStreams + pair.server.openStreams, 0);
  });
}

Deno.test("H2Session moves 3 MB both ways through windows of 64 KiB", () => {
  const pair = new Pair();
  const body = bytes(3_000_000, 7);
  pair.serverSide.request = ({ stream }) => stream.respond({ status: 200, fields: [] });
  pair.serverSide.data = ({ stream }, chunk, endStream) =>
    stream.sendData(chunk.slice(), endStream);
  const stream = pair.client.request(post("/echo"));
  stream.sendData(body, true);
  pair.run();
  assert.deepEqual(content(pair.clientSide.seen(stream)), body);
});

Deno.test("H2Session stops a sender whose receiver does not consume, and goes on when it does", () => {
  const pair = new Pair();
  pair.serverSide.autoConsume = false;
  const stream = pair.client.request(post("/slow"));
  pair.run();
  let sent = 0;
  while (stream.sendData(bytes(16_384))) sent += 16_384;
  sent += 16_384;
  pair.run();
  const seen = pair.serverSide.streams.get(1);
  assert(seen);
  assert.equal(content(seen).length, EDGE_LIMITS.streamWindow);
  assert(stream.bufferedOctets <= BACKEND_LIMITS.streamSendBuffer + 16_384);
  assert.equal(pair.clientSide.seen(stream).drains, 0);
  seen.stream.consume(EDGE_LIMITS.streamWindow);
  pair.run();
  assert.equal(pair.clientSide.seen(stream).drains, 1);
  seen.stream.consume(EDGE_LIMITS.streamWindow);
  pair.run();
  assert.equal(content(seen).length, sent);
});

Deno.test("H2Session shares the connection window between streams in turns", () => {
  const pair = new Pair();
  pair.clientSide.autoConsume = false;
  pair.serverSide.request = ({ stream }) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(bytes(40_000), true);
  };
  const streams = [1, 2, 3].map((n) => pair.client.request(get(`/${n}`), true));
  pair.run();
  for (const stream of streams) assert.equal(content(pair.clientSide.seen(stream)).length, 40_000);
});

Deno.test("H2Session makes one flush of a whole turn", () => {
  const pair = new Pair();
  pair.run();
  pair.serverSide.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
  const before = pair.serverSide.outputs;
  for (let i = 0; i < 50; i++) pair.client.request(get("/"), true);
  pair.toServer();
  assert.equal(pair.serverSide.outputs, before + 1);
  assert.equal(pair.server.takeOutput().length, 1);
});

Deno.test("H2Session carries extended CONNECT (RFC 8441) both ways", () => {
  const pair = new Pair();
  pair.run();
  assert(pair.client.peerSettings.enableConnectProtocol);
  pair.serverSide.request = ({ stream, request }) => {
    assert.equal(request?.protocol, "websocket");
    assert.equal(request?.method, "CONNECT");
    stream.respond({ status: 200, fields: [] });
  };
  pair.serverSide.data = ({ stream }, chunk) => stream.sendData(chunk.slice());
  const stream = pair.client.request({ ...get("/chat"), method: "CONNECT", protocol: "websocket" });
  stream.sendData(bytes(10));
  pair.run();
  assert.deepEqual(content(pair.clientSide.seen(stream)), bytes(10));
  assert.equal(stream.state, "open");
});

Deno.test("H2Session refuses streams above the limit as retryable, and tells when there is room", () => {
  const pair = new Pair({ serverLimits: { ...EDGE_LIMITS, maxConcurrentStreams: 2 } });
  const [, , third] = [1, 2, 3].map(() => pair.client.request(get("/"), true));
  assert(third);
  pair.run();
  assert.equal(pair.clientSide.seen(third).reset?.retryable, true);
  assert.equal(pair.serverSide.refusals[0]?.kind, "too-many");
  assert.equal(pair.client.canOpenStream, false);
  assert.throws(() => pair.client.request(get("/"), true), H2StateError);
  pair.serverSide.streams.get(1)?.stream.respond({ status: 204, fields: [] }, true);
  pair.run();
  assert.equal(pair.clientSide.available, 1);
  assert(pair.client.canOpenStream);
});

Deno.test("H2Session.shutdown() serves requests on their way, then closes", () => {
  const pair = new Pair();
  pair.run();
  const first = pair.client.request(get("/1"), true);
  pair.run();
  pair.server.shutdown();
  const racing = pair.client.request(get("/2"), true);
  pair.toServer();
  pair.toClient();
  assert.equal(pair.client.canOpenStream, false);
  pair.run();
  assert.deepEqual(pair.clientSide.goaways, [[0, 0x7fffffff], [0, 3]]);
  assert(!pair.server.closed);
  for (const id of [1, 3]) {
    pair.serverSide.streams.get(id)?.stream.respond({ status: 204, fields: [] }, true);
  }
  pair.run();
  for (const stream of [first, racing]) {
    assert.equal(pair.clientSide.seen(stream).response?.status, 204);
  }
  assert.equal(pair.serverSide.closed?.reason, "drained");
  assert.equal(pair.clientSide.closed?.reason, "drained");
});

Deno.test("H2Session.shutdown() ends its notice by time when the peer does not answer", () => {
  const pair = new Pair();
  pair.run();
  pair.server.shutdown();
  pair.server.tick(EDGE_LIMITS.drainNoticeMs);
  assert.equal(pair.serverSide.closed?.reason, "drained");
});

Deno.test("H2Session.close() resets open streams on both sides", () => {
  const pair = new Pair();
  const stream = pair.client.request(get("/"), true);
  pair.run();
  pair.server.close(ErrorCode.internalError, "worker stops");
  pair.run();
  assert.equal(pair.serverSide.streams.get(1)?.reset?.by, "session");
  assert.equal(pair.clientSide.goaways[0]?.[0], ErrorCode.internalError);
  assert.equal(pair.clientSide.seen(stream).reset, undefined); // stream 1 was taken: may be done
  pair.client.abort("connection lost");
  assert.equal(pair.clientSide.seen(stream).reset?.retryable, false);
});

Deno.test("H2Session GOAWAY makes streams above its last one retryable", () => {
  const pair = new Pair();
  pair.run();
  pair.server.shutdown();
  pair.server.tick(EDGE_LIMITS.drainNoticeMs);
  const stream = pair.client.request(post("/"));
  pair.toClient();
  const { reset } = pair.clientSide.seen(stream);
  assert.equal(reset?.retryable, true);
  assert(stream.closed);
  assert.equal(stream.sendData(bytes(1)), false);
});

Deno.test("H2Session gives a reset with its code to the other side, and frees the stream", () => {
  const pair = new Pair();
  const stream = pair.client.request(post("/"));
  pair.run();
  stream.reset(ErrorCode.cancel);
  pair.run();
  const cause = pair.serverSide.streams.get(1)?.reset;
  assert.equal(cause?.code, ErrorCode.cancel);
  assert.equal(cause?.by, "peer");
  assert.equal(pair.server.openStreams, 0);
});

Deno.test("H2Session reset(NO_ERROR) waits for the response and then stops the request", () => {
  const pair = new Pair();
  pair.clientSide.autoConsume = false;
  pair.serverSide.request = ({ stream }) => {
    stream.respond({ status: 413, fields: [] });
    stream.sendData(bytes(400_000), true);
    stream.reset(ErrorCode.noError);
  };
  const stream = pair.client.request(post("/"));
  pair.run();
  const seen = pair.clientSide.seen(stream);
  assert.equal(seen.ended, false);
  for (let i = 0; i < 10 && !seen.ended; i++) {
    stream.consume(400_000);
    pair.run();
  }
  assert.equal(content(seen).length, 400_000);
  assert(seen.ended && seen.closedInOrder);
  assert.equal(seen.reset, undefined);
});

Deno.test("H2Session measures the round trip of a PING", () => {
  const pair = new Pair();
  pair.client.ping();
  pair.now = 7;
  pair.run();
  assert.deepEqual(pair.clientSide.pongs, [7]);
});

Deno.test("H2Session credits the connection window for content nobody consumed", () => {
  const pair = new Pair();
  pair.serverSide.autoConsume = false;
  for (let i = 0; i < 40; i++) {
    const stream = pair.client.request(post("/"));
    stream.sendData(bytes(60_000));
    pair.run();
    pair.serverSide.streams.get(stream.id)?.stream.reset(ErrorCode.cancel);
    pair.run();
  }
  assert(!pair.server.closed);
  assert.equal(content(pair.serverSide.streams.get(79)).length, 60_000);
});

Deno.test("H2Session sends and reads a header block of several frames", () => {
  const pair = new Pair({ cut: singly });
  const fields = Array.from({ length: 20 }, (_, i) => [`x-${i}`, "v".repeat(2500)]).flat();
  const stream = pair.client.request(get("/", fields), true);
  pair.run();
  assert.deepEqual(pair.serverSide.seen(stream).request?.fields, fields);
});

Deno.test("H2Session.receive() stops after so much work, at any amount of it", () => {
  const recording = new RawPeer();
  const chunks: Uint8Array[] = [];
  for (let id = 1; id < 40; id += 2) {
    chunks.push(recording.headers(id, REQUEST, false));
    chunks.push(frame(FrameType.data, 0, id, new Uint8Array(300)));
    chunks.push(frame(FrameType.data, FrameFlag.padded, id, [2, 7, 7, 0, 0]));
    chunks.push(frame(FrameType.data, FrameFlag.endStream, id));
    chunks.push(frame(FrameType.ping, 0, 0, new Uint8Array(8)));
  }
  const bytes = Buffer.concat(chunks);
  for (const work of [1, 2, 16, 17, 64, 1000]) {
    const peer = new RawPeer();
    let calls = 0;
    for (let at = 0; at < bytes.length; calls++) {
      const read = peer.session.receive(bytes.subarray(at), 0, work);
      assert(read > 0);
      at += read;
    }
    // A header block counts as sixteen frames; one frame is always read.
    assert(calls >= 20 * (16 + 4) / (work + 16), `${calls} calls of ${work}`);
    for (let id = 1; id < 40; id += 2) {
      const seen = peer.recorder.streams.get(id);
      assert.equal(content(seen).length, 302);
      assert(seen?.ended);
    }
    assert.equal(peer.frames().filter(({ type }) => type === FrameType.ping).length, 20);
  }
});
