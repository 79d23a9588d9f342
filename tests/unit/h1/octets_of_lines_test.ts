/**
 * Each line of a message, with each octet that matters in each place, against its grammar as a
 * regular expression: what a parser written octet by octet takes is what the grammar takes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { octets, TestClient, TestServer } from "../../support/h1_pair.ts";

/** Both sides of each border that a class of characters has, and the ends of the range. */
const OCTETS = [
  ...[0x00, 0x01, 0x08, 0x09, 0x0b, 0x0c, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x2a, 0x2c, 0x2e, 0x2f],
  ...[0x30, 0x31, 0x32, 0x35, 0x36, 0x39, 0x3a, 0x3b, 0x40, 0x41, 0x46, 0x47, 0x5a, 0x5b, 0x5f],
  ...[0x60, 0x61, 0x66, 0x67, 0x7a, 0x7b, 0x7e, 0x7f, 0x80, 0xff],
];

/** A line with each octet put over and before each of its own, and without each of its own. */
function* variants(line: string): Generator<string> {
  yield line;
  for (let at = 0; at <= line.length; at++) {
    yield line.slice(0, at) + line.slice(at + 1);
    for (const octet of OCTETS) {
      const character = String.fromCharCode(octet);
      yield line.slice(0, at) + character + line.slice(at + 1);
      yield line.slice(0, at) + character + line.slice(at);
    }
  }
}

const REQUEST_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ((?:\/[!"$-~]*)|\*|https?:\/\/([A-Za-z0-9\-._~!$&'()*+,;=:%[\]]+)(?:[/?][!"$-~]*)?|[A-Za-z0-9\-._~!$&'()*+,;=:%[\]]+) HTTP\/(\d)\.(\d)$/;

/** What a request line asks for, or the status that refuses it. */
function expectedRequest(line: string): unknown {
  const form = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [^ ]* HTTP\/(\d)\.\d$/.exec(line);
  if (form === null) return 400;
  if (form[1] !== "1") return 505;
  const match = REQUEST_LINE.exec(line);
  if (match === null) return 400;
  const [, method, target = "", host] = match;
  if (method === "CONNECT") return target.includes("/") ? 400 : [method, target, ""];
  if (target === "*") return method === "OPTIONS" ? [method, "a.test", "*"] : 400;
  if (host !== undefined) {
    const rest = target.replace(/^https?:\/\/[^/?]*/, "");
    return [method, host, rest.startsWith("/") ? rest : `/${rest}`];
  }
  return target.startsWith("/") ? [method, "a.test", target] : 400;
}

Deno.test.each([
  ["GET /p HTTP/1.1"],
  ["O /a?b HTTP/1.0"],
  ["G http://b/ HTTP/1.9"],
  ["OPTIONS * HTTP/1.1"],
  ["CONNECT b:1 HTTP/1.1"],
])("a request line like %s is taken exactly if RFC 9112 §3 takes it", (base) => {
  for (const line of variants(base)) {
    const server = new TestServer();
    server.receive(`${line}\r\nHost: a.test\r\n\r\n`);
    const [seen] = server.requests;
    const found = seen?.head === undefined
      ? server.refusals[0]?.status
      : [seen.head.method, seen.head.authority, seen.head.path];
    assert.deepEqual(found, expectedRequest(line), JSON.stringify(line));
    if (seen !== undefined) {
      assert.equal(seen.stream.version, line.endsWith("1.0") ? "1.0" : "1.1", line);
    }
  }
});

Deno.test.each([
  ["HTTP/1.1 200 OK"],
  ["HTTP/1.0 599"],
  ["HTTP/1.1 100 "],
])("a status line like %s is taken exactly if RFC 9112 §4 takes it", (base) => {
  for (const line of variants(base)) {
    const client = new TestClient();
    const seen = client.ask();
    client.flush();
    client.receive(`${line}\r\n\r\n`);
    const found = seen.head?.status ?? seen.informational[0]?.status;
    const match = /^HTTP\/1\.\d ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?$/.exec(line);
    const status = match === null || match[1] === "101" ? undefined : Number(match[1]);
    assert.equal(found, status, JSON.stringify(line));
    assert.equal(seen.reset?.by, status === undefined ? "rules" : undefined, JSON.stringify(line));
  }
});

/** What of 40 octets is content behind a chunk's line; -1 if the line is none. */
function expectedChunk(line: string, isRequest: boolean): number {
  const grammar = isRequest
    ? /^([0-9a-fA-F]{1,13})(?:[ \t]*;[\t -~\x80-\xff]*)?$/
    : /^([0-9a-fA-F]{1,13})[ \t]*(?:;[\t -~\x80-\xff]*)?$/;
  const match = grammar.exec(line);
  return match === null ? -1 : Math.min(40, parseInt(match[1] ?? "", 16));
}

const CHUNK_LINES = [["1f"], ["a;x=y"], ["0A \t;z"], ["0000000000002"], ["9 "]];

Deno.test.each(CHUNK_LINES)(
  "a client's chunk line like %s is taken exactly if RFC 9112 §7.1 takes it",
  (base) => {
    for (const line of variants(base)) {
      const server = new TestServer();
      server.receive("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
      server.receive(`${line}\r\n`);
      const [seen] = server.requests;
      const taken = seen?.invalid === undefined;
      server.receive("x".repeat(40));
      assert.equal(taken ? seen?.body.length : -1, expectedChunk(line, true), JSON.stringify(line));
    }
  },
);

Deno.test.each(CHUNK_LINES)("a backend's chunk line like %s may end in spaces", (base) => {
  for (const line of variants(base)) {
    const client = new TestClient();
    const seen = client.ask();
    client.flush();
    client.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.receive(`${line}\r\n`);
    const taken = seen.reset === undefined;
    client.receive("x".repeat(40));
    assert.equal(taken ? seen.body.length : -1, expectedChunk(line, false), JSON.stringify(line));
  }
});

Deno.test.each([
  ["X-A: b c"],
  ["y:\t"],
  ["Zz: \t d\t "],
])("a field line like %s is taken exactly if RFC 9112 §5 takes it", (base) => {
  for (const line of variants(base)) {
    const server = new TestServer();
    server.receive(`GET / HTTP/1.1\r\nHost: a.test\r\n${line}\r\n\r\n`);
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)$/.exec(line);
    const [, name = "", value = ""] = match ?? [];
    const wanted = match === null
      ? undefined
      : [name.toLowerCase(), value.replaceAll(/^[ \t]+|[ \t]+$/g, "")];
    assert.deepEqual(server.requests[0]?.head?.fields, line === "" ? [] : wanted, line);
    if (match === null && line !== "") assert.equal(server.refusals[0]?.status, 400, line);
  }
});

Deno.test("lines are cut at CR LF alone, wherever their octets are split", () => {
  const long = "y".repeat(700);
  const head = `GET /${long} HTTP/1.1\r\nHost: a.test\r\nX-A: ${long}${long}\r\nX-B: 1\r\n\r\n`;
  for (const pieces of [1, 2, 100, 255, 256, 257, 511, 512, 513, 1000]) {
    const server = new TestServer();
    const whole = octets(head);
    for (let at = 0; at < whole.length; at += pieces) server.receive(whole.slice(at, at + pieces));
    const { head: found } = server.requests[0] ?? {};
    assert.equal(found?.path, `/${long}`, `in pieces of ${pieces}`);
    assert.deepEqual(found?.fields, ["x-a", long + long, "x-b", "1"], `in pieces of ${pieces}`);
  }
  const bare = new TestServer();
  for (const octet of octets("GET / HTTP/1.1\r\nHost: a.test\r\n\n")) {
    bare.receive(Uint8Array.of(octet));
  }
  assert.deepEqual(bare.refusals.map(({ reason }) => reason), [
    "a line that ends in a bare line feed",
  ]);
});
