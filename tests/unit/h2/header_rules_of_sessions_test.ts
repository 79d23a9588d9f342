/** What a session makes of heads, trailers and the length of content. */
import assert from "node:assert/strict";
import { ErrorCode, H2FieldError } from "../../../lib/h2/mod.ts";
import { get, Pair } from "../../support/h2_pair.ts";
import { frame, RawPeer, u32 } from "../../support/h2_raw.ts";
import { isVisible, TOKEN_OCTET } from "../../support/h2_header_rules.ts";

/** Sends a response head to a client session. Answers the head's status, or the reset's reason. */
function response(
  fields: readonly string[],
  options: { endStream?: boolean; method?: string } = {},
) {
  const peer = new RawPeer({ role: "client" });
  const { endStream = true, method = "GET" } = options;
  const stream = peer.session.request({ ...get("/"), method }, true);
  peer.send(peer.headers(stream.id, fields, endStream));
  const seen = peer.recorder.seen(stream);
  return { seen, peer, reason: seen.reset?.reason, status: seen.response?.status };
}

Deno.test("H2Session tries every octet in names and values of trailers", () => {
  for (let octet = 0; octet < 256; octet++) {
    const char = String.fromCharCode(octet);
    for (
      const [field, allowed] of [
        [[`x${char}y`, "z"], TOKEN_OCTET.test(char) && !/[A-Z]/.test(char)],
        [["x", `a${char}b`], isVisible(octet) || octet === 9 || octet === 32],
      ] as const
    ) {
      const peer = new RawPeer();
      const id = peer.open(false);
      peer.send(peer.headers(id, field));
      assert.equal(peer.recorder.streams.get(id)?.trailers !== undefined, allowed, `${octet}`);
    }
  }
});

Deno.test("H2Session compares content with content-length", () => {
  const cases: [declared: string, sizes: number[], reset: boolean][] = [
    ["3", [3], false],
    ["3", [1, 2], false],
    ["3", [2], true],
    ["3", [2, 2], true],
    ["0", [1], true],
  ];
  for (const [declared, sizes, reset] of cases) {
    const peer = new RawPeer();
    const id = peer.open(false, ["content-length", declared]);
    sizes.forEach((size, i) => {
      peer.send(frame(0, i === sizes.length - 1 ? 1 : 0, id, new Uint8Array(size)));
    });
    assert.equal(peer.resetCode(id), reset ? ErrorCode.protocolError : undefined, declared);
  }
});

Deno.test("H2Session compares content with content-length at trailers too", () => {
  const peer = new RawPeer();
  const id = peer.open(false, ["content-length", "3"]);
  peer.send(frame(0, 0, id, [1, 2]), peer.headers(id, ["x", "y"]));
  assert.equal(peer.resetCode(id), ErrorCode.protocolError);
});

for (const name of [":path", ":status", "content-length", "host", "connection", "te"]) {
  Deno.test(`H2Session refuses ${name} in trailers`, () => {
    const peer = new RawPeer();
    const id = peer.open(false);
    peer.send(peer.headers(id, [name, name === "te" ? "trailers" : "0"]));
    assert.equal(peer.resetCode(id), ErrorCode.protocolError);
    const reason = name === "connection"
      ? "connection-specific field"
      : "pseudo-header or framing field in trailers";
    assert.equal(peer.recorder.streams.get(id)?.reset?.reason, reason);
    assert.equal(peer.recorder.streams.get(id)?.trailers, undefined);
  });
}

Deno.test("H2Session as a client refuses malformed responses", () => {
  const cases: (readonly string[])[] = [
    [],
    ["x", "y"],
    [":status", "20"],
    [":status", "2000"],
    [":status", "600"],
    [":status", "101"],
    [":status", "200", ":status", "200"],
    [":status", "200", ":path", "/"],
    [":status", "200", "connection", "close"],
    [":status", "200", "transfer-encoding", "chunked"],
    [":status", "200", "content-length", "4"],
    [":status", "100"],
  ];
  for (const fields of cases) {
    const { status, reason } = response(fields);
    assert.equal(status, undefined, String(fields));
    assert(reason, String(fields));
  }
});

Deno.test("H2Session as a client knows which responses have no content", () => {
  assert.equal(response([":status", "200", "content-length", "4"], { method: "HEAD" }).status, 200);
  assert.equal(response([":status", "304", "content-length", "4"]).status, 304);
  const { peer, seen } = response([":status", "200"], { method: "HEAD", endStream: false });
  peer.send(frame(0, 1, 1, [1]));
  assert.equal(seen.reset?.reason, "content longer than content-length");
  assert.equal(seen.chunks.length, 0);
});

Deno.test("H2Stream refuses fields that cannot be sent and leaves the table as it was", () => {
  const pair = new Pair();
  const bad: (readonly string[])[] = [
    ["Upper", "x"],
    ["", "x"],
    ["a b", "x"],
    [":path", "/x"],
    ["x", "a\r\nb"],
    ["x", "\u010a"],
    ["x", "\0"],
    ["x", " y"],
    ["x"],
  ];
  for (const fields of bad) {
    assert.throws(
      () => pair.client.request(get("/", ["x-first", "1", ...fields]), true),
      H2FieldError,
    );
  }
  assert.throws(() => pair.client.request(get("/a\nb"), true), H2FieldError);
  pair.client.request(get("/", ["x-first", "1"]), true);
  pair.run();
  assert.deepEqual(pair.serverSide.streams.get(1)?.request?.fields, ["x-first", "1"]);
  const stream = pair.serverSide.streams.get(1)?.stream;
  assert.throws(() => stream?.respond({ status: 200, fields: ["x", "\n"] }, true), H2FieldError);
  stream?.respond({ status: 200, fields: [] });
  assert.throws(() => stream?.sendTrailers(["x", "\n"]), H2FieldError);
  stream?.sendTrailers(["x", "y"]);
  pair.run();
  assert.deepEqual(pair.clientSide.streams.get(1)?.trailers, ["x", "y"]);
});

Deno.test("H2Session refuses a request whose windows the peer never opened", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  for (let i = 0; i < 5; i++) peer.send(frame(0, 0, id, new Uint8Array(16384)));
  peer.recorder.autoConsume = false;
  const other = peer.open(false);
  for (let i = 0; i < 5; i++) peer.send(frame(0, 0, other, new Uint8Array(16384)));
  assert.equal(peer.recorder.streams.get(id)?.reset, undefined);
  assert.equal(peer.recorder.streams.get(other)?.reset?.code, ErrorCode.flowControlError);
  peer.send(frame(8, 0, 0, u32(0)));
  assert.equal(peer.recorder.closed?.code, ErrorCode.protocolError);
});
