import assert from "node:assert/strict";
import { BACKEND_LIMITS, FrameType, WindowBudget } from "../../../lib/h2/mod.ts";
import { get } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";

const { streamWindow, maxStreamWindow } = BACKEND_LIMITS;

/** A response on a stream of a client session whose window may grow out of `budget`. */
class Download {
  readonly id: number;
  /** Octets that the peer may still send. */
  room = streamWindow;
  readonly #peer: RawPeer;

  constructor(peer: RawPeer, budget: WindowBudget | undefined) {
    this.#peer = peer;
    const stream = peer.session.request(get("/"), true);
    if (budget !== undefined) stream.growFrom(budget);
    this.id = stream.id;
    peer.send(peer.headers(this.id, [":status", "200"], false));
    peer.session.takeOutput();
  }

  /** Sends all that may be sent. */
  fill(): void {
    const full = new Uint8Array(16384);
    for (; this.room > 0; this.room -= full.length) {
      const bytes = full.subarray(0, Math.min(this.room, full.length));
      this.#peer.send(frame(FrameType.data, 0, this.id, bytes));
      if (bytes.length < full.length) this.room = full.length;
    }
    for (const { type, streamId, payload } of this.#peer.frames()) {
      if (type !== FrameType.windowUpdate || streamId !== this.id) continue;
      this.room += new DataView(payload.buffer).getUint32(0);
    }
  }
}

/** The window after ten rounds with so much time between them. */
function windowAfter(roundMs: number, budget: WindowBudget | undefined): number {
  const peer = new RawPeer({ role: "client" });
  const download = new Download(peer, budget);
  for (let round = 0; round < 10; round++) {
    peer.now += roundMs;
    download.fill();
    assert(!peer.session.closed);
  }
  return download.room;
}

Deno.test("a stream's window grows for a reader that keeps up, to its bound", () => {
  assert.equal(windowAfter(10, new WindowBudget(2 ** 30)), maxStreamWindow);
});

Deno.test("a stream's window does not grow without a budget", () => {
  assert.equal(windowAfter(10, undefined), streamWindow);
});

Deno.test("a stream's window does not grow for a slow reader", () => {
  const peer = new RawPeer({ role: "client" });
  peer.recorder.autoConsume = false;
  const budget = new WindowBudget(2 ** 30);
  const download = new Download(peer, budget);
  const stream = peer.recorder.streams.get(download.id)?.stream;
  for (let round = 0; round < 50; round++) {
    peer.now += 200;
    peer.session.receive(new Uint8Array(0), peer.now);
    download.fill();
    stream?.consume(streamWindow / 4);
  }
  assert(!peer.session.closed);
  assert.equal(budget.left, 2 ** 30);
});

Deno.test("the windows of one party grow by no more than their budget, and give it back", () => {
  const budget = new WindowBudget(100_000);
  const peer = new RawPeer({ role: "client" });
  const downloads = Array.from({ length: 4 }, () => new Download(peer, budget));
  for (let round = 0; round < 10; round++) {
    peer.now += 10;
    for (const download of downloads) download.fill();
  }
  assert.equal(budget.left, 0);
  const room = downloads.reduce((sum, { room }) => sum + room, 0);
  assert(room > 4 * streamWindow && room <= 4 * streamWindow + 100_000, `${room} octets`);
  const [first, second] = downloads;
  peer.rst(first?.id ?? 0);
  assert(budget.left > 0);
  peer.recorder.streams.get(second?.id ?? 0)?.stream.reset(8);
  peer.session.abort("lost");
  assert.equal(budget.left, 100_000);
});

for (
  const [what, windows] of [["stream", [1000, 65_535]], ["connection", [1e6, 65_535]]] as const
) {
  Deno.test(`content stops at the window of the ${what}, to the octet, and goes on`, () => {
    const [streamWindowOfPeer, connectionWindow] = windows;
    const peer = new RawPeer();
    peer.send(frame(FrameType.settings, 0, 0, setting(4, streamWindowOfPeer)));
    const id = peer.open();
    const stream = peer.recorder.streams.get(id)?.stream;
    stream?.respond({ status: 200, fields: [] });
    const sent = () => {
      let octets = 0;
      for (let frames = peer.frames(); frames.length > 0; frames = peer.frames()) {
        for (const { type, payload } of frames) {
          if (type === FrameType.data) octets += payload.length;
        }
      }
      return octets;
    };
    // In pieces that fit, so that the first of them need no queue.
    for (let i = 0; i < 20; i++) stream?.sendData(new Uint8Array(5000), i === 19);
    const window = Math.min(streamWindowOfPeer, connectionWindow);
    assert.equal(sent(), window);
    peer.send(frame(FrameType.windowUpdate, 0, what === "stream" ? id : 0, u32(7)));
    assert.equal(sent(), 7);
  });
}
