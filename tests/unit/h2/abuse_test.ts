import assert from "node:assert/strict";
import { EDGE_LIMITS, FrameFlag, FrameType, HpackEncoder } from "../../../lib/h2/mod.ts";
import { assertCalmed, FLOOD, flood, read } from "../../support/h2_flood.ts";
import { frame, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";

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
