import assert from "node:assert/strict";
import {
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  errorName,
  FrameFlag,
  FrameType,
  H2Session,
  H2StateError,
  SettingId,
} from "../../../lib/h2/mod.ts";
import { content, get, Recorder } from "../../support/h2_pair.ts";
import { frame, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";

const { compressionError, flowControlError, frameSizeError, protocolError, streamClosed } =
  ErrorCode;
const { data, goaway, headers, ping, priority, pushPromise, rstStream, settings, windowUpdate } =
  FrameType;

const { continuation } = FrameType;

/** What ends the whole connection: the frames after a correct greeting, and the code. */
const FATAL: Record<string, [code: number, send: (peer: RawPeer) => void]> = {
  "DATA on stream 0": [protocolError, (peer) => peer.send(frame(data, 0, 0, [1]))],
  "DATA on an idle stream": [protocolError, (peer) => peer.send(frame(data, 0, 1, [1]))],
  "DATA after the end of its stream": [streamClosed, (peer) => {
    const id = peer.open();
    peer.recorder.streams.get(id)?.stream.respond({ status: 204, fields: [] }, true);
    peer.send(frame(data, 0, id, [1]));
  }],
  "HEADERS on stream 0": [protocolError, (peer) => peer.send(peer.headers(0, REQUEST))],
  "HEADERS on a server's stream": [protocolError, (peer) => peer.send(peer.headers(2, REQUEST))],
  "HEADERS on a lower stream": [protocolError, (peer) => {
    peer.send(peer.headers(5, REQUEST), peer.headers(3, REQUEST));
  }],
  "HEADERS after the end of its stream": [streamClosed, (peer) => {
    const id = peer.open();
    peer.recorder.streams.get(id)?.stream.respond({ status: 204, fields: [] }, true);
    peer.send(peer.headers(id, REQUEST));
  }],
  "HEADERS too short for its flags": [
    frameSizeError,
    (peer) => peer.send(frame(headers, FrameFlag.endHeaders | FrameFlag.priority, 1, [0, 0])),
  ],
  "HEADERS with too much padding": [
    protocolError,
    (peer) => peer.send(frame(headers, FrameFlag.endHeaders | FrameFlag.padded, 1, [9, 0x82])),
  ],
  "a block that does not decode": [
    compressionError,
    (peer) => peer.send(frame(headers, FrameFlag.endHeaders, 1, [0x80])),
  ],
  "a block that does not decode on a reset stream": [compressionError, (peer) => {
    const id = peer.open(false);
    peer.recorder.streams.get(id)?.stream.reset(0);
    peer.send(frame(headers, FrameFlag.endHeaders, id, [0x80]));
  }],
  "CONTINUATION without HEADERS": [
    protocolError,
    (peer) => peer.send(frame(continuation, FrameFlag.endHeaders, 1, [0x82])),
  ],
  "CONTINUATION of another stream": [
    protocolError,
    (peer) => peer.send(frame(headers, 0, 1, [0x82]), frame(continuation, 4, 3, [0x82])),
  ],
  "another frame inside a header block": [
    protocolError,
    (peer) => peer.send(frame(headers, 0, 1, [0x82]), frame(ping, 0, 0, new Uint8Array(8))),
  ],
  "DATA inside a header block": [
    protocolError,
    (peer) => peer.send(frame(headers, 0, 1, [0x82]), frame(data, 0, 1, [1])),
  ],
  "an unknown frame inside a header block": [
    protocolError,
    (peer) => peer.send(frame(headers, 0, 1, [0x82]), frame(0x42, 0, 1)),
  ],
  "PRIORITY on stream 0": [
    protocolError,
    (peer) => peer.send(frame(priority, 0, 0, [0, 0, 0, 3, 1])),
  ],
  "PRIORITY of a wrong length": [frameSizeError, (peer) => peer.send(frame(priority, 0, 1, [1]))],
  "RST_STREAM on stream 0": [protocolError, (peer) => peer.rst(0)],
  "RST_STREAM on an idle stream": [protocolError, (peer) => peer.rst(1)],
  "RST_STREAM of a wrong length": [frameSizeError, (peer) => {
    peer.send(frame(rstStream, 0, peer.open(), [1]));
  }],
  "SETTINGS on a stream": [protocolError, (peer) => peer.send(frame(settings, 0, 1))],
  "SETTINGS of a wrong length": [frameSizeError, (peer) => peer.send(frame(settings, 0, 0, [1]))],
  "a SETTINGS acknowledgement with payload": [
    frameSizeError,
    (peer) => peer.send(frame(settings, FrameFlag.ack, 0, setting(4, 1))),
  ],
  "ENABLE_PUSH of 2": [
    protocolError,
    (peer) => peer.send(frame(settings, 0, 0, setting(SettingId.enablePush, 2))),
  ],
  "INITIAL_WINDOW_SIZE of 2^31": [
    flowControlError,
    (peer) => peer.send(frame(settings, 0, 0, setting(SettingId.initialWindowSize, 2 ** 31))),
  ],
  "INITIAL_WINDOW_SIZE that overflows a window": [flowControlError, (peer) => {
    const id = peer.open();
    peer.send(frame(windowUpdate, 0, id, u32(1)));
    peer.send(frame(settings, 0, 0, setting(SettingId.initialWindowSize, 2 ** 31 - 1)));
  }],
  "MAX_FRAME_SIZE of 16383": [
    protocolError,
    (peer) => peer.send(frame(settings, 0, 0, setting(SettingId.maxFrameSize, 16383))),
  ],
  "MAX_FRAME_SIZE of 2^24": [
    protocolError,
    (peer) => peer.send(frame(settings, 0, 0, setting(SettingId.maxFrameSize, 2 ** 24))),
  ],
  "ENABLE_CONNECT_PROTOCOL that goes back to 0": [protocolError, (peer) => {
    peer.send(frame(settings, 0, 0, [...setting(8, 1), ...setting(8, 0)]));
  }],
  "PUSH_PROMISE": [
    protocolError,
    (peer) => peer.send(frame(pushPromise, 4, 1, [0, 0, 0, 2, 0x82])),
  ],
  "PING on a stream": [protocolError, (peer) => peer.send(frame(ping, 0, 1, new Uint8Array(8)))],
  "PING of a wrong length": [
    frameSizeError,
    (peer) => peer.send(frame(ping, 0, 0, new Uint8Array(7))),
  ],
  "GOAWAY on a stream": [
    protocolError,
    (peer) => peer.send(frame(goaway, 0, 1, new Uint8Array(8))),
  ],
  "GOAWAY of a wrong length": [
    frameSizeError,
    (peer) => peer.send(frame(goaway, 0, 0, new Uint8Array(7))),
  ],
  "WINDOW_UPDATE of a wrong length": [
    frameSizeError,
    (peer) => peer.send(frame(windowUpdate, 0, 0, [1])),
  ],
  "WINDOW_UPDATE of 0 for the connection": [
    protocolError,
    (peer) => peer.send(frame(windowUpdate, 0, 0, u32(0))),
  ],
  "WINDOW_UPDATE above 2^31-1 for the connection": [
    flowControlError,
    (peer) => peer.send(frame(windowUpdate, 0, 0, u32(0x7fffffff))),
  ],
  "WINDOW_UPDATE on an idle stream": [
    protocolError,
    (peer) => peer.send(frame(windowUpdate, 0, 1, u32(1))),
  ],
  "content beyond the connection window": [flowControlError, (peer) => {
    peer.recorder.autoConsume = false;
    for (let n = 0; n < 17; n++) {
      const id = peer.open(false);
      for (let i = 0; i < 4; i++) peer.send(frame(data, 0, id, new Uint8Array(16384)));
    }
  }],
};

for (const [name, [code, send]] of Object.entries(FATAL)) {
  Deno.test(`H2Session ends the connection on ${name}`, () => {
    const peer = new RawPeer();
    send(peer);
    assert.equal(errorName(peer.goaway() ?? -1), errorName(code));
    assert.equal(peer.recorder.closed?.by, "rules");
    peer.send(peer.headers(99, REQUEST));
    assert.equal(peer.recorder.streams.has(99), false);
    assert.equal(peer.session.openStreams, 0);
  });
}

/** What ends one stream only. */
const STREAM_ERRORS: Record<string, [code: number, send: (peer: RawPeer, id: number) => void]> = {
  "WINDOW_UPDATE of 0": [protocolError, (peer, id) => {
    peer.send(frame(windowUpdate, 0, id, u32(0)));
  }],
  "WINDOW_UPDATE above 2^31-1": [flowControlError, (peer, id) => {
    peer.send(frame(windowUpdate, 0, id, u32(0x7fffffff)));
  }],
  "HEADERS inside the content": [protocolError, (peer, id) => {
    peer.send(peer.headers(id, ["x", "y"], false));
  }],
  "DATA after END_STREAM": [streamClosed, (peer, id) => {
    peer.send(frame(data, FrameFlag.endStream, id), frame(data, 0, id, [1]));
  }],
};

for (const [name, [code, send]] of Object.entries(STREAM_ERRORS)) {
  Deno.test(`H2Session resets the stream on ${name}, once, and goes on`, () => {
    const peer = new RawPeer();
    const id = peer.open(false);
    send(peer, id);
    send(peer, id); // frames in flight when the reset was sent are ignored
    const resets = peer.frames().filter(({ type }) => type === rstStream);
    assert.deepEqual(resets.map(({ payload }) => payload[3]), [code]);
    assert.equal(peer.recorder.streams.get(id)?.reset?.by, "rules");
    peer.open();
    assert(!peer.session.closed);
  });
}

Deno.test("H2Session refuses anything but the preface, and anything but SETTINGS after it", () => {
  for (const start of ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]) {
    const peer = new RawPeer({ greet: false });
    peer.send(new TextEncoder().encode(start));
    assert.equal(peer.goaway(), protocolError);
  }
  for (
    const first of [
      frame(ping, 0, 0, new Uint8Array(8)),
      frame(settings, FrameFlag.ack, 0),
      frame(data, 0, 1, [1]),
    ]
  ) {
    const peer = new RawPeer({ greet: false });
    peer.send(CLIENT_PREFACE, first);
    assert.equal(peer.goaway(), protocolError);
  }
});

Deno.test("H2Session announces its limits and opens the connection window", () => {
  const peer = new RawPeer({ greet: false });
  const [first, second] = peer.frames();
  assert.deepEqual([...first?.payload ?? []], [
    ...setting(SettingId.maxConcurrentStreams, EDGE_LIMITS.maxConcurrentStreams),
    ...setting(SettingId.initialWindowSize, EDGE_LIMITS.streamWindow),
    ...setting(SettingId.maxHeaderListSize, EDGE_LIMITS.maxHeaderListSize),
    ...setting(SettingId.enableConnectProtocol, 1),
  ]);
  assert.deepEqual([...second?.payload ?? []], u32(EDGE_LIMITS.connectionWindow - 65535));
});

Deno.test("H2Session answers PING with the same octets, and SETTINGS with an acknowledgement", () => {
  const peer = new RawPeer();
  peer.send(frame(ping, 0, 0, [1, 2, 3, 4, 255, 254, 253, 252]));
  peer.send(frame(settings, 0, 0, setting(0x99, 1)));
  const [pong, ack] = peer.frames();
  assert.deepEqual([...pong?.payload ?? []], [1, 2, 3, 4, 255, 254, 253, 252]);
  assert.deepEqual([pong?.flags, ack?.type, ack?.flags], [FrameFlag.ack, settings, FrameFlag.ack]);
});

Deno.test("H2Session ignores PRIORITY, priority in HEADERS, padding and unknown frames", () => {
  const peer = new RawPeer();
  peer.send(frame(priority, 0, 7, [0, 0, 0, 7, 16]), frame(0xbe, 255, 3, [1, 2, 3]));
  const block = peer.block(REQUEST);
  const flags = FrameFlag.endHeaders | FrameFlag.endStream | FrameFlag.padded | FrameFlag.priority;
  peer.send(frame(headers, flags, 1, [2, 0, 0, 0, 1, 16, ...block, 0, 0]));
  assert.equal(peer.recorder.streams.get(1)?.request?.method, "POST");
});

Deno.test("H2Session counts padding against the windows and gives it back itself", () => {
  const peer = new RawPeer();
  peer.recorder.autoConsume = false;
  const id = peer.open(false);
  let updates = 0;
  for (let i = 0; i < 400; i++) {
    peer.send(frame(data, FrameFlag.padded, id, [255, 1, ...new Uint8Array(255)]));
    updates += peer.frames().filter((f) => f.type === windowUpdate && f.streamId === id).length;
  }
  assert(updates > 0);
  assert.equal(content(peer.recorder.streams.get(id)).length, 400);
});

Deno.test("H2Session follows INITIAL_WINDOW_SIZE down to a negative window and up again", () => {
  const peer = new RawPeer();
  const id = peer.open();
  const stream = peer.recorder.streams.get(id)?.stream;
  stream?.respond({ status: 200, fields: [] });
  stream?.sendData(new Uint8Array(1000));
  const size = (value: number) =>
    frame(settings, 0, 0, setting(SettingId.initialWindowSize, value));
  peer.send(size(0));
  peer.session.takeOutput();
  stream?.sendData(new Uint8Array(500), true);
  peer.send(size(1000));
  assert.equal(peer.frames().some(({ type }) => type === data), false);
  peer.send(size(1200));
  assert.equal(peer.frames().find(({ type }) => type === data)?.payload.length, 200);
  peer.send(frame(windowUpdate, 0, id, u32(300)));
  const last = peer.frames().find(({ type }) => type === data);
  assert.deepEqual([last?.payload.length, last?.flags], [300, FrameFlag.endStream]);
});

Deno.test("H2Session frames many small queued chunks as one", () => {
  const peer = new RawPeer();
  peer.send(frame(settings, 0, 0, setting(SettingId.initialWindowSize, 0)));
  const id = peer.open();
  const stream = peer.recorder.streams.get(id)?.stream;
  stream?.respond({ status: 200, fields: [] });
  for (let i = 0; i < 100; i++) stream?.sendData(Uint8Array.of(i));
  stream?.sendTrailers(["grpc-status", "0"]);
  peer.session.takeOutput();
  peer.send(frame(windowUpdate, 0, id, u32(1000)));
  const sent = peer.frames();
  assert.deepEqual(sent.map(({ type }) => type), [data, headers]);
  assert.deepEqual([...sent[0]?.payload ?? []], Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("H2Session bounds a queue of one-octet chunks by their octets", () => {
  const peer = new RawPeer();
  peer.send(frame(settings, 0, 0, setting(SettingId.initialWindowSize, 0)));
  const stream = peer.recorder.streams.get(peer.open())?.stream;
  stream?.respond({ status: 200, fields: [] });
  let chunks = 0;
  while (stream?.sendData(Uint8Array.of(0))) chunks++;
  // Gathered they cost about what they are: chunk_queue_test says how much.
  assert(chunks > 0.9 * EDGE_LIMITS.streamSendBuffer && chunks <= EDGE_LIMITS.streamSendBuffer);
});

Deno.test("H2Session ignores streams above its final GOAWAY but keeps the HPACK table", () => {
  const peer = new RawPeer();
  const first = peer.open(false);
  peer.session.shutdown();
  peer.session.tick(EDGE_LIMITS.drainNoticeMs);
  peer.session.takeOutput();
  peer.open(true, ["x-kept", "in the table"]);
  assert.equal(peer.recorder.streams.size, 1);
  peer.send(peer.headers(first, ["x-kept", "in the table"]));
  assert.deepEqual(peer.recorder.streams.get(first)?.trailers, ["x-kept", "in the table"]);
});

Deno.test("H2Session.shutdown() says goodbye once however often it is called", () => {
  for (const role of ["server", "client"] as const) {
    const peer = new RawPeer({ role });
    if (role === "server") peer.open();
    else peer.session.request(get("/"), true);
    for (let i = 0; i < 3; i++) peer.session.shutdown();
    assert.equal(peer.frames().filter(({ type }) => type === goaway).length, 1, role);
  }
});

Deno.test("H2Stream calls out of order throw, calls on a closed stream do nothing", () => {
  const peer = new RawPeer();
  const stream = peer.recorder.streams.get(peer.open())?.stream;
  assert(stream);
  assert.throws(() => stream.sendData(Uint8Array.of(1)), H2StateError);
  assert.throws(() => stream.sendTrailers([]), H2StateError);
  assert.throws(() => stream.respond({ status: 103, fields: [] }, true), H2StateError);
  stream.respond({ status: 200, fields: [] });
  assert.throws(() => stream.respond({ status: 200, fields: [] }), H2StateError);
  stream.sendData(new Uint8Array(0), true);
  assert.equal(stream.state, "closed");
  peer.session.takeOutput();
  stream.respond({ status: 200, fields: [] });
  stream.sendTrailers([]);
  stream.consume(5);
  stream.reset(ErrorCode.cancel);
  assert.equal(stream.sendData(Uint8Array.of(1)), false);
  assert.equal(peer.session.pendingOutput, 0);
});

Deno.test("H2Session refuses windows that peers would overrun before they know", () => {
  const limits = { ...EDGE_LIMITS, streamWindow: 1000 };
  const handler = new Recorder();
  assert.throws(() => new H2Session({ role: "server", handler, now: 0, limits }), RangeError);
});

Deno.test("H2Session tells since when it is idle", () => {
  const fresh = new H2Session({ role: "server", handler: new Recorder(), now: 5000 });
  assert.equal(fresh.idleSince, 5000, "a client that has not asked for anything yet");
  const peer = new RawPeer();
  peer.now = 100;
  const id = peer.open();
  assert.equal(peer.session.idleSince, -1);
  peer.now = 250;
  peer.rst(id);
  assert.equal(peer.session.idleSince, 250);
});
