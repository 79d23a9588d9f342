/**
 * Requests as attackers write them: from a grammar whose every part may be wrong, and then mutated.
 *
 * @module
 */
import { CLIENT_PREFACE, FrameType, HpackEncoder } from "../../lib/h2/mod.ts";
import type { Input } from "./differential.ts";
import { mutate, type Random } from "./fuzz.ts";
import { frame } from "./h2_raw.ts";
import { encodeBlock } from "./hpack.ts";

const METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get", "FOO", "G@T", "CONNECT", "PRI"];
const TARGETS = [
  ..."/ / / /a?b=c //a /a//b /a/../b /%2e%2e/ /a#b /%00 /a|b /{x} /\\ /* /;a=b /? * a".split(" "),
  ...["http://a.test/x", "HTTP://A.test/x", "https://a.test?q", "http://b.test/", "http://a.test"],
  ...["", "/a b", "/\xe4", '/"', "/<>", "/a\tb", "http://u@a.test/", "http://", "/\x7f", "/^`"],
];
const VERSIONS = [
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "http/1.1",
  "HTTP/1.1 ",
  "HTTP/01.1",
];
const HOSTS = [
  ...["Host: a.test", "Host: a.test:80", "HOST:a.test", "Host: A.TEST", "Host: a.test "],
  ...[
    "",
    "Host : a.test",
    "Host:",
    "Host: b.test",
    "Host: a.test\r\nHost: a.test",
    "Host: a.test,",
  ],
  ...["Host: a.test/", "Host: u@a.test", "Host: a.test\r\n x", "\tHost: a.test", "Host: a.test:x"],
];
const FIELDS = [
  ...[
    "X-A: 1",
    "x-a:2",
    "X-A:  3 \t",
    "X-Empty:",
    "X-A: \xe4",
    "X-A: a,b",
    "Cookie: a=1",
    "cookie: b",
  ],
  ...["Connection: close", "Connection: keep-alive", "Connection: X-A", "Connection: close, te"],
  ...["Keep-Alive: 5", "Proxy-Connection: close", "TE: trailers", "Expect: 100-continue"],
  ...[
    "Upgrade: h2c",
    "Upgrade: websocket",
    "X-A : 1",
    "X A: 1",
    "X-A\t: 1",
    ": 1",
    "X-A",
    "X_A: 1",
  ],
  ...["X-A: 1\n", "X-A: 1\r", "X-A: \0", "X-A: \x01", "X-A: \x7f", "X-A: 1\r\n 2", "X(A): 1"],
  ...["Content-Length: 0", "Content-Length: 5", "Content-Length: +5", "Content-Length: 5, 5"],
  ...["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6"],
  ...["Content-Length: 0x5", "Content-Length: 5 ", "Content-Length: 05", "Content-Length : 5"],
  ...["Content-Length: -1", "Content-Length:", "Content_Length: 5", "Content-Length: 5;a"],
  ...["Transfer-Encoding: chunked", "Transfer-Encoding: Chunked", "transfer-encoding:chunked"],
  ...["Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked"],
  ...["Transfer-Encoding: identity", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked"],
  ...["Transfer-Encoding: \x0bchunked", "Transfer_Encoding: chunked", "Transfer-Encoding:"],
  ...[
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "X: y\r\nTransfer-Encoding: chunked",
  ],
];
const CHUNKS = [
  ...["5\r\nhello\r\n", "05\r\nhello\r\n", "5;a=b\r\nhello\r\n", "5 \r\nhello\r\n", "5\nhello\n"],
  ...["0x5\r\nhello\r\n", "+5\r\nhello\r\n", "5\r\nhelloX", "5;\n\r\nhello\r\n", "fffffffff\r\n"],
  ...["5\r\nhello\n", "A\r\n0123456789\r\n", "\r\n5\r\nhello\r\n", "5;a\rb\r\nhello\r\n"],
];
const LAST = [
  "0\r\n\r\n",
  "0\r\nX-T: 1\r\n\r\n",
  "00\r\n\r\n",
  "0\r\n",
  "0\n\n",
  "0;x\r\n\r\n",
  "",
];
const SECOND = "GET /second HTTP/1.1\r\nHost: a.test\r\n\r\n";

/** Mostly the first, which is right. */
function mostly<T>(random: Random, from: readonly T[]): T {
  return random.below(3) > 0 ? from[0] as T : random.pick(from);
}

function some<T>(random: Random, most: number, from: readonly T[]): T[] {
  return Array.from({ length: random.below(most + 1) }, () => random.pick(from));
}

/** A connection's worth of HTTP/1.1: a request, often with content, often with another behind it. */
export function oddHttp1(random: Random): Input {
  const end = random.below(12) === 0 ? random.pick(["\n", "\r", "\r\r\n"]) : "\r\n";
  const line = [
    mostly(random, METHODS),
    mostly(random, TARGETS),
    mostly(random, VERSIONS),
  ].join(random.below(20) === 0 ? random.pick(["  ", "\t", ""]) : " ");
  const host = mostly(random, HOSTS);
  const fields = some(random, 3, FIELDS);
  const whole = [line, ...host === "" ? [] : [host], ...fields, "", ""].join(end) +
    contentFor(fields, random) + (random.below(2) === 0 ? SECOND : "");
  const bytes = Uint8Array.from(whole, (character) => character.charCodeAt(0));
  return { protocol: "http/1.1", bytes: random.below(4) === 0 ? mutate(bytes, random) : bytes };
}

function contentFor(fields: readonly string[], random: Random): string {
  const names = fields.join("\n").toLowerCase();
  if (/transfer.encoding/.test(names)) {
    return some(random, 2, CHUNKS).join("") + mostly(random, LAST);
  }
  return /content.length/.test(names) ? random.pick(["hello", "hello", "hell", ""]) : "";
}

const PSEUDO: readonly (readonly [string, readonly string[]])[] = [
  [":method", METHODS],
  [":scheme", ["https", "http", "ftp", "HTTPS", "", "https "]],
  [":authority", ["a.test", "A.test", "a.test:443", "b.test", "", "u@a.test", "a.test/", "a test"]],
  [":path", TARGETS],
];
const H2_FIELDS: readonly (readonly [string, string])[] = [
  ...[["x-a", "1"], ["x-a", " 2"], ["x-a", "3\t"], ["x-empty", ""], ["x-a", "\xe4"]] as const,
  ...[["X-A", "1"], ["x a", "1"], ["x-a:", "1"], ["", "1"], ["x-a", "1\r\ny: 2"]] as const,
  ...[["x-a", "\0"], ["x-a", "1\n"], ["x-a", "\x7f"], ["connection", "close"]] as const,
  ...[["te", "trailers"], ["te", "gzip"], ["transfer-encoding", "chunked"]] as const,
  ...[["upgrade", "h2c"], ["keep-alive", "5"], ["proxy-connection", "x"]] as const,
  ...[["host", "a.test"], ["host", "b.test"], ["host", ""], ["cookie", "a=1"]] as const,
  ...[["cookie", "b"], ["content-length", "0"], ["content-length", "5"]] as const,
  ...[["content-length", "6"], ["content-length", "+5"], ["content-length", "5, 5"]] as const,
  ...[[":method", "GET"], [":status", "200"], [":protocol", "websocket"], [":x", "y"]] as const,
  ...[["expect", "100-continue"], ["x_a", "1"], ["trailer", "x-t"], ["x(a)", "1"]] as const,
];

/** A connection's worth of HTTP/2: one stream. */
export function oddHttp2(random: Random): Input {
  const pseudo = PSEUDO
    .filter(() => random.below(30) > 0)
    .map(([name, values]) => {
      const value = random.below(4) > 0 ? values[0] as string : mostly(random, values);
      return [name, value] as const;
    });
  if (random.below(20) === 0) pseudo.reverse();
  const fields = some(random, 3, H2_FIELDS);
  const behind = random.below(15) === 0 && pseudo.length > 0 ? [random.pick(pseudo)] : [];
  const encoder = new HpackEncoder();
  const hasContent = fields.some(([name]) => name === "content-length") || random.below(4) === 0;
  const trailers = hasContent && random.below(4) === 0 ? [random.pick(H2_FIELDS)] : undefined;
  const content = hasContent ? random.pick(["hello", "hello", "hell", ""]) : "";
  const block = encodeBlock(encoder, [...pseudo, ...fields, ...behind].flat());
  const chunks = [
    CLIENT_PREFACE,
    frame(FrameType.settings, 0, 0),
    frame(FrameType.headers, hasContent ? 4 : 5, 1, block),
  ];
  if (hasContent) {
    const bytes = Uint8Array.from(content, (character) => character.charCodeAt(0));
    chunks.push(frame(FrameType.data, trailers === undefined ? 1 : 0, 1, bytes));
  }
  if (trailers !== undefined) {
    chunks.push(frame(FrameType.headers, 5, 1, encodeBlock(encoder, trailers.flat())));
  }
  const length = chunks.reduce((sum, { length }) => sum + length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  const sent = [...pseudo, ...fields, ...behind, ...trailers ?? []]
    .map(([name, value]) => `${name}: ${value}`);
  return {
    protocol: "h2",
    bytes: whole,
    sent: [...sent, `= ${content.length} octets`].join("\n"),
  };
}
