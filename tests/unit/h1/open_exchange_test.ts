import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../../lib/h1/limits.ts";
import { LineReader } from "../../../lib/h1/line_reader.ts";
import { OpenExchange } from "../../../lib/h1/open_exchange.ts";

const WINDOW = 100;

interface Stream {
  closed: boolean;
  received: boolean;
}

/** An exchange with a window of 100 octets, and what it hands out. */
function open() {
  const said: string[] = [];
  const taker = {
    onData: (_: Stream, bytes: Uint8Array, end: boolean) =>
      void said.push(`${bytes.length} ${end}`),
    onTrailers: () => void said.push("trailers"),
  };
  const events = {
    onMessageEnd: () => void said.push("end"),
    onBroken: (reason: string) => void said.push(reason),
  };
  const exchange = new OpenExchange<Stream>(taker, events, {
    limits: { ...H1_EDGE_LIMITS, window: WINDOW },
    lines: new LineReader(),
    isRequest: true,
  });
  const begin = () => exchange.stream = { closed: false, received: false };
  return { exchange, said, begin };
}

Deno.test("OpenExchange wants no more when the window is full, and again when half was consumed", () => {
  const { exchange, begin } = open();
  begin();
  exchange.content(new Uint8Array(WINDOW - 1), false);
  assert.equal(exchange.windowFull, false);
  exchange.content(new Uint8Array(1), false);
  assert.equal(exchange.windowFull, true);
  assert.equal(exchange.consume(WINDOW / 2 - 1), false);
  assert.equal(exchange.windowFull, true);
  assert.equal(exchange.consume(1), true);
  assert.equal(exchange.windowFull, false);
  assert.equal(exchange.consume(1), false, "that was not full");
});

Deno.test("OpenExchange counts nothing of one exchange against the next one's window", () => {
  const { exchange, begin } = open();
  for (let i = 0; i < 3; i++) {
    const stream = begin();
    exchange.content(new Uint8Array(WINDOW - 1), true);
    assert.deepEqual([exchange.windowFull, stream.received], [false, true]);
    exchange.close();
    assert.deepEqual([exchange.stream, stream.closed], [undefined, true]);
  }
  begin();
  exchange.content(new Uint8Array(WINDOW), false);
  exchange.close();
  assert.equal(exchange.windowFull, false);
});

Deno.test("OpenExchange reads and hands out nothing after it was closed in the middle of content", () => {
  const { exchange, said, begin } = open();
  begin();
  exchange.expect({ kind: "length", octets: 10 });
  assert.equal(exchange.read(new Uint8Array(4), 0), 4);
  assert.equal(exchange.bodyEnded, false);
  exchange.close();
  assert.equal(exchange.bodyEnded, true);
  exchange.content(new Uint8Array(4), true);
  exchange.trailers([]);
  exchange.broken("a rule");
  assert.deepEqual(said, ["4 false"]);
});
