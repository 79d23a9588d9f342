import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  Budget,
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  HpackEncoder,
} from "../../../lib/h2/mod.ts";
import { get, Pair } from "../../support/h2_pair.ts";
import { frame, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";

const CALM = ErrorCode.enhanceYourCalm;
/** More of anything than a budget allows at once. */
const FLOOD = 5000;

/** For a client, as far as the peer lets it. */
const MANY_STREAMS = { ...BACKEND_LIMITS, maxOwnStreams: 5000 };

/** Repeats an abuse until the session closes; answers how often it was done. */
function flood(peer: RawPeer, once: () => void): number {
  for (let done = 0; done < FLOOD; done++) {
    if (peer.session.closed) return done;
    once();
  }
  return FLOOD;
}

/** The peer reads what it was sent, but leaves the last words for the assertion. */
function read(peer: RawPeer): void {
  if (!peer.session.closed) peer.session.takeOutput();
}

function assertCalmed(peer: RawPeer, done: number): void {
  assert(done < FLOOD, "the flood was not stopped");
  assert.equal(peer.recorder.closed?.by, "rules");
  assert.equal(peer.goaway(), CALM);
}

Deno.test("H2Session stops a rapid reset (CVE-2023-44487)", () => {
  const peer = new RawPeer();
  const done = flood(peer, () => peer.rst(peer.open()));
  assertCalmed(peer, done);
  assert.equal(done, EDGE_LIMITS.resets.burst + 1);
  assert.equal(peer.session.openStreams, 0);
});

Deno.test("H2Session lets a client cancel at a human pace for ever", () => {
  const peer = new RawPeer();
  for (let second = 0; second < 200; second++) {
    peer.now += 1000;
    for (let i = 0; i < EDGE_LIMITS.resets.perSecond; i++) peer.rst(peer.open());
    peer.session.takeOutput();
  }
  assert(!peer.session.closed);
});

const PROVOCATIONS: Record<string, (peer: RawPeer) => void> = {
  "a WINDOW_UPDATE of 0": (peer) => {
    peer.send(frame(FrameType.windowUpdate, 0, peer.open(false), u32(0)));
  },
  "a WINDOW_UPDATE above 2^31-1": (peer) => {
    peer.send(frame(FrameType.windowUpdate, 0, peer.open(false), u32(0x7fffffff)));
  },
  "DATA after END_STREAM": (peer) => {
    peer.send(frame(FrameType.data, 0, peer.open(), [1]));
  },
  "HEADERS after END_STREAM": (peer) => {
    peer.send(peer.headers(peer.open(), ["x", "y"]));
  },
  "too much content": (peer) => {
    const id = peer.open(false, ["content-length", "1"]);
    peer.send(frame(FrameType.data, 0, id, [1, 2]));
  },
  "malformed requests": (peer) => {
    peer.open(true, ["connection", "close"]);
  },
  "trailers that do not end": (peer) => {
    peer.send(peer.headers(peer.open(false), ["x", "y"], false));
  },
};
for (const [name, provoke] of Object.entries(PROVOCATIONS)) {
  Deno.test(`H2Session counts resets provoked by ${name} (CVE-2025-8671)`, () => {
    const peer = new RawPeer();
    assertCalmed(peer, flood(peer, () => provoke(peer)));
  });
}

Deno.test("H2Session stops a flood of streams above the limit", () => {
  const peer = new RawPeer();
  assertCalmed(peer, flood(peer, () => void peer.open(false)));
  assert.equal(peer.recorder.streams.size, EDGE_LIMITS.maxConcurrentStreams);
});

for (const [name, size] of [["", 100], ["empty ", 0]] as const) {
  Deno.test(`H2Session stops a flood of ${name}CONTINUATION frames (CVE-2024-27983)`, () => {
    const peer = new RawPeer();
    const endless = new HpackEncoder();
    const target = new Uint8Array(200);
    peer.send(frame(FrameType.headers, 0, 1, peer.block(REQUEST)));
    const done = flood(peer, () => {
      const at = endless.field(":path", "y".repeat(size), target, 0);
      peer.send(frame(FrameType.continuation, 0, 1, size === 0 ? [] : target.subarray(0, at)));
    });
    assertCalmed(peer, done);
    assert.equal(done, EDGE_LIMITS.maxContinuations + 1);
  });
}

Deno.test("H2Session bounds the octets of a header block", () => {
  const peer = new RawPeer();
  peer.send(frame(FrameType.headers, 0, 1, new Uint8Array(16384)));
  const full = frame(FrameType.continuation, 0, 1, new Uint8Array(16384));
  const done = flood(peer, () => peer.send(full));
  assertCalmed(peer, done);
  assert.equal(done, EDGE_LIMITS.maxHeaderBlock / 16384);
});

Deno.test("H2Session answers 431 to a header list above 64 KiB and goes on", () => {
  const peer = new RawPeer();
  const large = peer.block([
    ...REQUEST,
    ...Array.from({ length: 200 }, () => ["x", "z".repeat(400)]).flat(),
  ]);
  for (let at = 0; at < large.length; at += 16384) {
    const type = at === 0 ? FrameType.headers : FrameType.continuation;
    const flags = (at === 0 ? FrameFlag.endStream : 0) |
      (at + 16384 >= large.length ? FrameFlag.endHeaders : 0);
    peer.send(frame(type, flags, 1, large.subarray(at, at + 16384)));
  }
  assert.equal(peer.recorder.refusals[0]?.kind, "too-large");
  const fields: string[] = [];
  const answer = peer.frames().find(({ type }) => type === FrameType.headers);
  assert(answer);
  peer.decoder.decode(answer.payload, { field: (name, value) => fields.push(name, value) });
  assert.deepEqual(fields, [":status", "431"]);
  assert.equal(peer.recorder.streams.size, 0);
  peer.send(peer.headers(3, REQUEST));
  assert.equal(peer.recorder.streams.get(3)?.request?.path, "/");
});

Deno.test("H2Session stores no more of an HPACK bomb than the header list limit", () => {
  const peer = new RawPeer();
  // One large entry, then a reference of one octet to it 16,000 times: 48 MB of header list.
  const bomb = [...peer.block([...REQUEST, "x", "z".repeat(1900)])];
  for (let i = 0; i < 14_000; i++) bomb.push(0x80 | 62);
  peer.send(frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, bomb));
  assert.equal(peer.recorder.refusals[0]?.kind, "too-large");
  const again = peer.block([...REQUEST]);
  for (let id = 3; id < 1000 && !peer.session.closed; id += 2) {
    const flags = FrameFlag.endHeaders | FrameFlag.endStream;
    const more = Uint8Array.of(...again, ...bomb.slice(-9000));
    peer.send(frame(FrameType.headers, flags, id, more));
  }
  assertCalmed(peer, 0);
});

const FLOODS: Record<string, () => Uint8Array> = {
  "SETTINGS": () => frame(FrameType.settings, 0, 0, setting(4, 65535)),
  "SETTINGS acknowledgements": () => frame(FrameType.settings, FrameFlag.ack, 0),
  "PING": () => frame(FrameType.ping, 0, 0, new Uint8Array(8)),
  "PING acknowledgements": () => frame(FrameType.ping, FrameFlag.ack, 0, new Uint8Array(8)),
  "PRIORITY": () => frame(FrameType.priority, 0, 1, [0, 0, 0, 3, 16]),
  "WINDOW_UPDATE": () => frame(FrameType.windowUpdate, 0, 0, u32(1)),
  "RST_STREAM on a closed stream": () => frame(FrameType.rstStream, 0, 1, u32(8)),
  "unknown frames": () => frame(0x42, 0, 0),
  "GOAWAY": () => frame(FrameType.goaway, 0, 0, [...u32(0), ...u32(0)]),
  "empty DATA": () => frame(FrameType.data, 0, 3, []),
  "DATA of padding alone": () => frame(FrameType.data, FrameFlag.padded, 3, [3, 0, 0, 0]),
};
for (const [name, make] of Object.entries(FLOODS)) {
  Deno.test(`H2Session stops a flood of ${name}`, () => {
    const peer = new RawPeer();
    peer.rst(peer.open());
    peer.open(false);
    const bytes = make();
    assertCalmed(
      peer,
      flood(peer, () => {
        peer.send(bytes);
        read(peer);
      }),
    );
  });
}

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

/** Does something over and over, and sends nothing while the session asks for a rest. */
function politely(peer: RawPeer, times: number, once: () => void): void {
  for (let i = 0; i < times && !peer.session.closed; i++) {
    once();
    read(peer);
    peer.now += peer.session.restMs;
    peer.session.receive(new Uint8Array(0), peer.now);
  }
}

Deno.test("H2Session lets gRPC ping once for each message, at a pace that it sets", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  politely(peer, FLOOD, () => {
    peer.send(frame(FrameType.data, 0, id, [1, 2, 3]));
    peer.send(frame(FrameType.ping, 0, 0, new Uint8Array(8)));
  });
  assert(!peer.session.closed);
  const { burst, perSecond } = EDGE_LIMITS.control;
  const paid = 1000 * (FLOOD - burst - FLOOD * 3 / 256) / perSecond;
  assert(Math.abs(peer.now - paid) < 10, `${FLOOD} pings took ${peer.now} ms`);
});

Deno.test("H2Session gives PINGs for content by its octets, in either direction", () => {
  const kilobyte = frame(FrameType.data, 0, 1, new Uint8Array(1024));
  const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
  const sending = new RawPeer();
  const id = sending.open(false);
  for (let i = 0; i < FLOOD; i++) {
    sending.send(kilobyte, ping, ping, ping, ping);
    sending.session.takeOutput();
  }
  assert.equal(sending.session.restMs, 0);

  const reading = new RawPeer();
  reading.send(frame(FrameType.windowUpdate, 0, 0, u32(2 ** 30)));
  reading.send(frame(FrameType.windowUpdate, 0, reading.open(false), u32(2 ** 30)));
  const stream = reading.recorder.streams.get(id)?.stream;
  stream?.respond({ status: 200, fields: [] });
  for (let i = 0; i < FLOOD; i++) {
    stream?.sendData(new Uint8Array(1024));
    reading.send(ping, ping, ping, ping);
    reading.session.takeOutput();
  }
  assert.equal(reading.session.restMs, 0);
});

for (const [octets, cost] of [[1, 255 / 256], [128, 0.5], [255, 1 / 256], [256, 0]] as const) {
  Deno.test(`H2Session reads DATA frames of ${octets} octets at the pace of their overhead`, () => {
    const frames = 40_000;
    const peer = new RawPeer();
    const bytes = frame(FrameType.data, 0, peer.open(false), new Uint8Array(octets));
    politely(peer, frames, () => peer.send(bytes));
    assert(!peer.session.closed);
    const { burst, perSecond } = EDGE_LIMITS.smallData;
    const paid = Math.max(0, 1000 * (frames * cost - burst) / perSecond);
    assert(Math.abs(peer.now - paid) < 10, `${frames} frames took ${peer.now} ms, not ${paid}`);
  });
}

Deno.test("H2Session ends with a peer whose small DATA frames an owner reads without rest", () => {
  const peer = new RawPeer();
  const bytes = Buffer.concat(
    Array.from({ length: 100 }, () => frame(FrameType.data, 0, 1, [1])),
  );
  peer.open(false);
  assertCalmed(peer, flood(peer, () => peer.send(bytes)));
});

Deno.test("H2Session stops a rapid reset with NO_ERROR, and tells the owner of each", () => {
  const peer = new RawPeer();
  const done = flood(peer, () => {
    const id = peer.open();
    peer.rst(id, ErrorCode.noError);
    const seen = peer.recorder.streams.get(id);
    assert.equal(seen?.reset?.by, "peer");
    assert.equal(seen.closedInOrder, false);
  });
  assertCalmed(peer, done);
  assert.equal(done, EDGE_LIMITS.resets.burst + 1);
  assert.equal(peer.session.openStreams, 0);
});

for (const [worth, most] of [[false, EDGE_LIMITS.resets.burst + 1], [true, FLOOD]] as const) {
  Deno.test(`H2Session forgives a reset for an answer that was${worth ? "" : " not"} worth it`, () => {
    const peer = new RawPeer();
    const done = flood(peer, () => {
      const id = peer.open();
      peer.recorder.streams.get(id)?.stream.respond({ status: 421, fields: [] }, true);
      assert.equal(peer.recorder.streams.get(id)?.closedInOrder, true);
      if (worth) peer.session.creditReset();
      peer.rst(peer.open());
      read(peer);
    });
    assert.equal(done, most);
  });
}

Deno.test("H2Session counts resets over all sessions of a peer", () => {
  const resets = new Budget({ burst: EDGE_LIMITS.resets.burst + 100, perSecond: 0 });
  const first = new RawPeer({ resets });
  flood(first, () => first.rst(first.open()));
  const second = new RawPeer({ resets });
  assert.equal(flood(second, () => second.rst(second.open())), 101);
});

Deno.test("H2Session earns resets for all sessions of a peer", () => {
  const resets = new Budget({ burst: 10, perSecond: 0 });
  const first = new RawPeer({ resets });
  for (let i = 0; i < 10; i++) first.rst(first.open());
  for (let i = 0; i < 5; i++) first.session.creditReset();
  const second = new RawPeer({ resets });
  assert.equal(flood(second, () => second.rst(second.open())), 6);
});

Deno.test("H2Session as a client resets no more than peers put up with", () => {
  const { burst, perSecond } = BACKEND_LIMITS.ownResets;
  const peer = new RawPeer({ role: "client", limits: MANY_STREAMS });
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 2000)));
  peer.session.takeOutput();
  const streams = Array.from({ length: burst + 60 }, () => peer.session.request(get("/"), true));
  for (const stream of streams) stream.reset(ErrorCode.cancel);
  const resets = () => peer.frames().filter(({ type }) => type === FrameType.rstStream);
  assert.equal(resets().length, burst);
  assert.equal(peer.session.openStreams, 60);

  // What still comes is thrown away, and a stream that ends by itself needs no reset any more.
  const [late, reset] = streams.slice(burst);
  assert(late !== undefined && reset !== undefined);
  peer.send(peer.headers(late.id, [":status", "200"], false));
  peer.send(frame(FrameType.data, FrameFlag.endStream, late.id, [1, 2, 3]));
  peer.rst(reset.id, ErrorCode.internalError);
  for (const stream of [late, reset]) {
    assert.equal(peer.recorder.streams.get(stream.id), undefined, "the owner heard of it");
    stream.sendData(new Uint8Array(1));
    stream.consume(3);
    stream.reset(ErrorCode.cancel);
  }
  assert.equal(peer.session.openStreams, 58);
  assert.equal(resets().length, 0);

  peer.session.tick(1000);
  assert.deepEqual(
    resets().map(({ streamId }) => streamId),
    streams.slice(burst + 2, burst + 2 + perSecond).map(({ id }) => id),
  );
  peer.session.tick(10_000);
  assert.equal(resets().length, 58 - perSecond);
  assert.equal(peer.session.openStreams, 0);
});

Deno.test("H2Session as a client opens no more streams than it wants, whatever it may", () => {
  const peer = new RawPeer({ role: "client" });
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 100_000)));
  const { maxOwnStreams } = BACKEND_LIMITS;
  const streams = Array.from({ length: maxOwnStreams }, () => peer.session.request(get("/"), true));
  peer.session.takeOutput();
  assert(!peer.session.canOpenStream);
  assert.equal(peer.session.streamLimit, maxOwnStreams);
  assert.equal(peer.recorder.available, 0);
  streams[7]?.reset(ErrorCode.cancel);
  assert.equal(peer.recorder.available, 1);
  assert(peer.session.canOpenStream);
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 5)));
  assert.equal(peer.session.streamLimit, 5);
});

Deno.test("H2Session as a client does not let streams that nobody reads stop the others", () => {
  const peer = new RawPeer({ role: "client", limits: MANY_STREAMS });
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 2000)));
  const { streamWindow, connectionWindow } = BACKEND_LIMITS;
  peer.recorder.autoConsume = false;
  const full = new Uint8Array(16384);
  let room = connectionWindow;
  const opened = () => {
    const updates = peer.frames().filter(({ type }) => type === FrameType.windowUpdate);
    for (const { streamId, payload } of updates) {
      if (streamId === 0) room += new DataView(payload.buffer).getUint32(0);
    }
    return updates.filter(({ streamId }) => streamId !== 0).length;
  };
  const streams = Array.from({ length: 2 * connectionWindow / streamWindow }, () => {
    const stream = peer.session.request(get("/"), true);
    peer.send(peer.headers(stream.id, [":status", "200"], false));
    for (let at = 0; at < streamWindow; at += full.length) {
      peer.send(frame(FrameType.data, 0, stream.id, full));
    }
    room -= streamWindow;
    assert.equal(opened(), 0, "a stream that is not read stays closed");
    assert(room > connectionWindow / 4, `${room} octets are left for others`);
    return stream;
  });
  for (const stream of streams) stream.consume(streamWindow);
  assert.equal(opened(), streams.length);
  for (const stream of streams) stream.reset(ErrorCode.cancel);
  opened();
  assert(room <= connectionWindow, "no octet is given back twice");
});
