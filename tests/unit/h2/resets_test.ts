import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  Budget,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
} from "../../../lib/h2/mod.ts";
import { assertCalmed, FLOOD, flood, MANY_STREAMS, read } from "../../support/h2_flood.ts";
import { get } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";

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
