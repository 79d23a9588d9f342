/**
 * What the HTTP/2 core costs without sockets: `deno bench bench/h2_bench.ts`.
 *
 * One round is a request and its response through a client and a server session, so half of it is
 * the cost of one role.
 *
 * @module
 */
import {
  BLOCK_OVERHEAD,
  FIELD_OVERHEAD,
  H2Session,
  type H2Stream,
  HpackDecoder,
  HpackEncoder,
  OutputPool,
} from "../lib/h2/mod.ts";

const REQUEST_FIELDS = [
  ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126 Safari/537.36"],
  ["accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["accept-encoding", "gzip, deflate, br"],
  ["accept-language", "en-US,en;q=0.9"],
  ["x-forwarded-for", "192.0.2.1"],
  ["x-forwarded-proto", "https"],
].flat();
const RESPONSE_FIELDS = [
  ["content-type", "text/html; charset=utf-8"],
  ["content-length", "64"],
  ["date", "Mon, 01 Jan 2024 00:00:00 GMT"],
  ["etag", '"33a64df551425fcc"'],
  ["cache-control", "max-age=3600"],
].flat();
const BODY = new Uint8Array(64);
const HEAD = {
  method: "GET",
  scheme: "https",
  authority: "www.example.net",
  path: "/index/some/path?q=1",
  fields: REQUEST_FIELDS,
};
const STREAMS = 100;

function nothing(): void {}

class Ends {
  readonly client: H2Session;
  readonly server: H2Session;

  constructor(onRequest: (stream: H2Stream) => void, onData = consume) {
    const pool = new OutputPool();
    const base = { onOutput: nothing, onClose: nothing, onTrailers: nothing, onReset: nothing };
    const handler = { ...base, onData, onDrain: nothing };
    this.client = new H2Session({ role: "client", handler, pool, now: 0 });
    this.server = new H2Session({
      role: "server",
      handler: { ...handler, onRequest },
      pool,
      now: 0,
    });
    this.run();
  }

  run(): void {
    for (;;) {
      const up = this.client.takeOutput();
      for (const bytes of up) this.server.receive(bytes, 1);
      const down = this.server.takeOutput();
      for (const bytes of down) this.client.receive(bytes, 1);
      if (up.length + down.length === 0) return;
    }
  }
}

function consume(stream: H2Stream, bytes: Uint8Array): void {
  stream.consume(bytes.length);
}

const small = new Ends((stream) => {
  stream.respond({ status: 200, fields: RESPONSE_FIELDS });
  stream.sendData(BODY, true);
});
Deno.bench(`${STREAMS} requests and responses, both roles`, () => {
  for (let i = 0; i < STREAMS; i++) small.client.request(HEAD, true);
  small.run();
});
Deno.bench("1 request and response, both roles", () => {
  small.client.request(HEAD, true);
  small.run();
});

const CHUNK = new Uint8Array(65536);
const CHUNKS = 16;
const bulk = new Ends((stream) => {
  stream.respond({ status: 200, fields: [] });
  for (let i = 1; i <= CHUNKS; i++) stream.sendData(CHUNK, i === CHUNKS);
});
Deno.bench("1 MiB of content, both roles", () => {
  bulk.client.request(HEAD, true);
  bulk.run();
});

const encoder = new HpackEncoder();
const target = new Uint8Array(
  REQUEST_FIELDS.reduce((sum, text) => sum + text.length + FIELD_OVERHEAD, BLOCK_OVERHEAD),
);

function encode(): number {
  let at = encoder.begin(target, 0);
  for (let i = 0; i < REQUEST_FIELDS.length; i += 2) {
    at = encoder.field(REQUEST_FIELDS[i] as string, REQUEST_FIELDS[i + 1] as string, target, at);
  }
  return at;
}

const decoder = new HpackDecoder();
const sink = { fields: 0, field: () => void sink.fields++ };
decoder.decode(target.subarray(0, encode()), sink);
const block = target.slice(0, encode());
Deno.bench("HPACK encode of 6 repeated fields", () => void encode());
Deno.bench("HPACK decode of 6 repeated fields", () => void decoder.decode(block, sink));
Deno.bench("HPACK encode of 6 new fields", () => {
  const fresh = new HpackEncoder();
  let at = fresh.begin(target, 0);
  for (let i = 0; i < REQUEST_FIELDS.length; i += 2) {
    at = fresh.field(REQUEST_FIELDS[i] as string, REQUEST_FIELDS[i + 1] as string, target, at);
  }
});
