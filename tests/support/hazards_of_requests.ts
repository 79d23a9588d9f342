/**
 * What requests may hold, over HTTP/1.1 and to it: part of `http1_hazards.ts`.
 *
 * @module
 */
import type { Hazard } from "./http1_hazards.ts";

const SMUGGLED_H1 = "tests/integration/l7_refuses_smuggled_http1_requests_test.ts";
const SMUGGLED_H2 = "tests/integration/l7_refuses_smuggled_http2_requests_test.ts";
const TUNNELS = "tests/integration/l7_refused_tunnels_never_open_test.ts";
const WHOLE = "tests/integration/http1_answers_arrive_whole_test.ts";
const LIMITS = "tests/integration/l7_limits_take_effect_test.ts";
const HEADS = "tests/unit/h1/request_heads_test.ts";
const CONTENT = "tests/unit/h1/request_content_test.ts";

const h1 = (what: string) => `a request with ${what} never reaches a backend`;
const h2 = (what: string) => `an HTTP/2 request with ${what} never reaches an HTTP/1.1 backend`;
const head = (what: string, status = 400) =>
  `a request with ${what} is answered ${status}, and nothing behind it is read`;
const chunks = (what: string) =>
  `chunks with ${what} are answered 400, and nothing behind them is read`;
const chunk = (what: string) =>
  `a chunk with ${what} ends the connection, and what follows is not a request`;
const ENGINE = "HTTP/2 has no such framing";

export const HAZARDS_OF_REQUESTS: Readonly<Record<string, Hazard>> = {
  "Content-Length with Transfer-Encoding": {
    field: ["CL with TE", "`Transfer-Encoding` in h2"],
    tests: {
      [SMUGGLED_H1]: [
        h1("Content-Length with Transfer-Encoding"),
        h1("Transfer-Encoding with Content-Length"),
      ],
      [SMUGGLED_H2]: [h2("Transfer-Encoding")],
    },
  },
  "repeated, signed or odd Content-Length": {
    field: ["repeated or odd CL"],
    tests: {
      [SMUGGLED_H1]: [
        h1("two different Content-Lengths"),
        h1("two equal Content-Lengths"),
        h1("a list of Content-Lengths"),
        h1("a signed Content-Length"),
        h1("a Content-Length in hexadecimal"),
        h1("a negative Content-Length"),
      ],
      [SMUGGLED_H2]: [h2("two Content-Lengths"), h2("an odd Content-Length")],
    },
  },
  "CR, LF, NUL and spaces in names and values": {
    field: ["CR, LF, NUL, leading or trailing space in h2 names and values"],
    tests: {
      [SMUGGLED_H1]: [
        h1("a folded line"),
        h1("a bare line feed"),
        h1("a bare carriage return"),
        h1("a NUL in a value"),
        h1("a NUL in a name"),
        h1("a space before the colon"),
        h1("a line without a colon"),
      ],
      [SMUGGLED_H2]: [
        h2("a line end in a value"),
        h2("a carriage return in a value"),
        h2("a line feed in a value"),
        h2("a NUL in a value"),
        h2("a space before a value"),
        h2("a space after a value"),
        h2("a line end in a name"),
        h2("a colon in a name"),
        h2("a space in a name"),
        h2("a line end in the path"),
        h2("a line end in the method"),
        h2("a line end in the authority"),
      ],
      [HEADS]: ["each octet of a name and a value is taken or refused as RFC 9110 says"],
    },
  },
  "an unknown coding, and chunked not last": {
    only: "over HTTP/2 every Transfer-Encoding is refused",
    tests: {
      [SMUGGLED_H1]: [
        h1("an unknown coding"),
        h1("a coding before chunked"),
        h1("chunked twice"),
        h1("chunked, then identity"),
        h1("Transfer-Encoding in HTTP/1.0"),
      ],
      [HEADS]: [head("an unknown coding", 501), head("an empty coding", 501)],
    },
  },
  "Upgrade passed through": {
    field: ["Upgrade passed through (CVE-2026-2833)"],
    tests: {
      [TUNNELS]: ["403 opens no tunnel over @", "a 101 to another protocol opens no tunnel over @"],
      [SMUGGLED_H2]: [h2("Upgrade"), h2("Connection")],
      [HEADS]: ["fields of the connection are not passed on, nor those that Connection names"],
    },
  },
  "Upgrade with a body": {
    field: ["Upgrade with a body (CVE-2026-58055)"],
    only: "HTTP/2 has no Upgrade",
    tests: {
      [SMUGGLED_H1]: [h1("an upgrade with a body")],
      [HEADS]: [head("an upgrade with content"), head("an upgrade of a POST")],
    },
  },
  "Upgrade: h2c, and to two protocols": {
    field: ["`Upgrade: h2c` (CVE-2026-88008)"],
    only: "HTTP/2 has no Upgrade",
    tests: { [SMUGGLED_H1]: [h1("an upgrade to h2c"), h1("an upgrade to two protocols")] },
  },
  "CONNECT with content onto a pooled connection": {
    field: ["h2 CONNECT with a body onto a pooled h1 connection (GHSA-3ccp-42pg-hgv6)"],
    tests: {
      [SMUGGLED_H1]: [h1("a CONNECT")],
      [SMUGGLED_H2]: [
        "a plain CONNECT over HTTP/2 is refused, and its content goes nowhere",
        "an extended CONNECT for anything but WebSocket is refused",
      ],
    },
  },
  "spoofed trailers": {
    field: ["spoofed trailers (CVE-2026-88004)"],
    tests: {
      [SMUGGLED_H1]: ["trailers cannot pretend to be fields of the head"],
      [SMUGGLED_H2]: ["trailers over HTTP/2 cannot pretend to be fields of the head"],
    },
  },
  "a name that every object has": {
    field: ["header name `__proto__` (CVE-2026-21710)"],
    tests: {
      [HEADS]: ["a request with names that every object has is taken"],
      [SMUGGLED_H2]: [
        "a field named __proto__ is a field like others, where underscores are allowed",
      ],
    },
  },
  "injection into the log": {
    field: ["log injection through header values (CVE-2024-45808)"],
    only: "each test speaks both",
    tests: {
      "tests/integration/no_request_forges_a_line_of_the_log_test.ts": [
        "what requests carry forges no line of the log as text, over either version",
        "what requests carry forges no line of the log as json, over either version",
      ],
    },
  },
  "any token is a method, in any case": {
    tests: {
      "tests/integration/l7_methods_reach_the_backend_as_they_came_test.ts": [
        "methods in any case go from HTTP/2 to http1 as they came, with their content",
        "methods in any case go from HTTP/1.1 to http1 as they came, with their content",
        "methods in any case go from HTTP/2 to h2 as they came, with their content",
        "methods in any case go from HTTP/1.1 to h2 as they came, with their content",
      ],
    },
  },
  "absolute form, two Hosts, none": {
    tests: {
      [SMUGGLED_H1]: [
        "the absolute form wins over Host, and another host's is not served",
        h1("no Host"),
        h1("two Hosts"),
      ],
      [SMUGGLED_H2]: [h2("a Host that differs from the authority"), h2("two paths")],
    },
  },
  "versions: HTTP/1.2 is 1.1, HTTP/2.0 is refused": {
    only: "HTTP/2 requests name no version",
    tests: {
      [HEADS]: [
        "a request with a later minor version is taken",
        head("HTTP/2.0", 505),
        head("the preface of HTTP/2", 505),
      ],
    },
  },
  "not stricter than nginx and HAProxy both are": {
    only: "they are asked over HTTP/1.1",
    tests: {
      "tests/integration/http1_is_as_strict_as_its_peers_test.ts": [
        "requests that nginx and HAProxy agree on have the same fate here",
      ],
    },
  },
  "malformed chunks and trailers": {
    only: ENGINE,
    tests: {
      [SMUGGLED_H1]: [
        chunk("a negative size"),
        chunk("a size that overflows"),
        chunk("a size that ends in a bare line feed"),
        chunk("no line end after the content"),
        chunk("a space after the size"),
        chunk("a length in its trailers"),
      ],
      [CONTENT]: [chunks("a size with 0x"), chunks("a folded trailer"), chunks("no size")],
      [WHOLE]: ["chunks and trailers that break a rule are answered 400 while nothing was"],
    },
  },
  "chunk extensions without a bound": {
    only: ENGINE,
    tests: {
      [CONTENT]: [
        "chunk extensions up to the limit are taken, one octet more is not",
        "extensions on chunks that carry content are no attack",
      ],
      [LIMITS]: ["max_chunk_overhead holds over all chunks of a message"],
    },
  },
  "heads and fields without a bound": {
    tests: {
      [LIMITS]: [
        "max_request_head holds over HTTP/1.1, at its last octet",
        "max_request_head holds over HTTP/2, at its last octet, and twice of it is the end",
        "max_fields holds over both versions",
      ],
      [HEADS]: [
        "fields up to the limit are taken, one more is answered 431",
        "a request line above the limit is answered 414 before its end has come",
      ],
    },
  },
  "content that is more or less than was declared": {
    tests: {
      [SMUGGLED_H2]: [
        "an HTTP/2 request with more content than it declared does not leave a rest to the next one",
        "an HTTP/2 request with less content than it declared does not leave a rest to the next one",
      ],
      [CONTENT]: [
        "content with a length is read to its end and not beyond, at every split",
        "a client that leaves in the middle of its request ends it",
      ],
    },
  },
  "a head that comes slowly, a connection that idles": {
    tests: {
      [SMUGGLED_H1]: ["a slow head is not waited for longer than the deadline"],
      [LIMITS]: [
        "header_timeout and keep_alive_timeout hold over HTTP/1.1",
        "header_timeout holds over HTTP/2: for a preface and for a block without end",
      ],
    },
  },
};
