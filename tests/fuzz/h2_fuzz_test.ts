import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ErrorCode, type H2Stream } from "../../lib/h2/mod.ts";
import { fuzzTest, type Random } from "../support/fuzz.ts";
import { cut, testTarget } from "../support/fuzz_target.ts";
import { content, get, Pair, type Recorder } from "../support/h2_pair.ts";
import { H2_ANSWERS, H2_REQUESTS } from "./targets/h2.ts";

for (const target of [H2_REQUESTS, H2_ANSWERS]) testTarget(target);

/** What a test sent on one stream in one direction. */
class Sent {
  readonly chunks: Uint8Array[] = [];
  ended = false;
}

/** Sends a random piece on a stream, and its end now and then. */
function sendSome(stream: H2Stream, sent: Sent, random: Random): void {
  if (sent.ended || stream.closed) return;
  const bytes = new Uint8Array(random.pick([0, 1, 100, 20_000, 70_000])).fill(random.below(256));
  sent.ended = random.below(4) === 0;
  sent.chunks.push(bytes);
  stream.sendData(bytes, sent.ended);
}

fuzzTest("two sessions deliver every octet in order, whatever the calls and cuts", (random) => {
  for (let round = 0; round < 15; round++) {
    const pair = new Pair({ cut: (bytes) => cut(bytes, random) });
    const up = new Map<H2Stream, Sent>();
    const down = new Map<H2Stream, Sent>();
    const reset = new Set<number>();
    pair.serverSide.request = ({ stream }) => {
      stream.respond({ status: 200, fields: [] });
      down.set(stream, new Sent());
    };
    for (let step = 0; step < 60; step++) {
      const [stream, sent] = random.pick([...up, ...down, [undefined, new Sent()]] as const);
      if (stream === undefined && pair.client.canOpenStream) {
        up.set(pair.client.request({ ...get("/"), method: "POST" }), new Sent());
      } else if (stream !== undefined && random.below(15) === 0) {
        stream.reset(ErrorCode.cancel);
        reset.add(stream.id);
      } else if (stream !== undefined) {
        sendSome(stream, sent, random);
      }
      if (random.below(3) === 0) pair.toServer();
      if (random.below(3) === 0) pair.toClient();
    }
    pair.run();
    assert(!pair.client.closed && !pair.server.closed);
    compare(up, pair.serverSide, reset);
    compare(down, pair.clientSide, reset);
  }
});

function compare(all: Map<H2Stream, Sent>, other: Recorder, reset: Set<number>): void {
  for (const [{ id }, sent] of all) {
    const seen = other.streams.get(id);
    const whole = Buffer.concat(sent.chunks);
    const received = content(seen);
    if (reset.has(id)) {
      assert(Buffer.compare(received, whole.subarray(0, received.length)) === 0, `stream ${id}`);
      continue;
    }
    assert(Buffer.compare(received, whole) === 0, `stream ${id}: ${received.length} octets`);
    assert.equal(seen?.ended ?? false, sent.ended, `stream ${id}`);
  }
}
