/**
 * The hazards of HTTP/1.1 by name, and the tests that stand for them. A test reads the names of all
 * tests and fails when one of these is not there.
 *
 * @module
 */

/** One hazard. */
export interface Hazard {
  /** By file; `@` in a name stands for each protocol of the client, `http/1.1` and `h2`. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
  /** Why it can only come over one of them. */
  readonly only?: string;
  /** As the field's list says it. */
  readonly field?: readonly string[];
}

const SMUGGLED_H1 = "tests/integration/l7_refuses_smuggled_http1_requests_test.ts";
const SMUGGLED_H2 = "tests/integration/l7_refuses_smuggled_http2_requests_test.ts";
const HOSTILE = "tests/integration/l7_hostile_backends_get_clients_a_502_test.ts";
const TUNNELS = "tests/integration/l7_refused_tunnels_never_open_test.ts";
const PERMITS = "tests/integration/l7_tunnels_give_their_permits_back_test.ts";
const KEPT = "tests/integration/http1_connections_are_kept_alive_test.ts";
const TURNS = "tests/integration/http1_requests_run_in_turn_test.ts";
const WHOLE = "tests/integration/http1_answers_arrive_whole_test.ts";
const HELD = "tests/integration/http1_content_is_held_back_test.ts";
const TLS_HELD = "tests/integration/l7_tls_backends_are_held_back_test.ts";
const TROUBLE = "tests/integration/l7_backend_trouble_stays_small_test.ts";
const INTERIM = "tests/integration/l7_interim_responses_are_few_test.ts";
const LIMITS = "tests/integration/l7_limits_take_effect_test.ts";
const HEADS = "tests/unit/h1/request_heads_test.ts";
const CONTENT = "tests/unit/h1/request_content_test.ts";
const SERVER = "tests/unit/h1/server_session_test.ts";
const CLIENT = "tests/unit/h1/client_session_test.ts";
const POOL = "tests/unit/upstream/pool_test.ts";
const LIVENESS = "tests/unit/upstream/liveness_test.ts";

const h1 = (what: string) => `a request with ${what} never reaches a backend`;
const h2 = (what: string) => `an HTTP/2 request with ${what} never reaches an HTTP/1.1 backend`;
const head = (what: string, status = 400) =>
  `a request with ${what} is answered ${status}, and nothing behind it is read`;
const chunks = (what: string) =>
  `chunks with ${what} are answered 400, and nothing behind them is read`;
const chunk = (what: string) =>
  `a chunk with ${what} ends the connection, and what follows is not a request`;
const answer = (what: string) => `${what} is a 502 over @, and the backend is asked again`;
const cut = (where: string) =>
  `content that ends in the middle of ${where} never looks whole over @`;

const ENGINE = "HTTP/2 has no such framing";

export const HAZARDS: Readonly<Record<string, Hazard>> = {
  // --- requests --------------------------------------------------------------------------------
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

  // --- connections of clients ------------------------------------------------------------------
  "keep-alive, as Go, httpx, Java and undici use it": {
    only: "it is about HTTP/1.1",
    tests: {
      [KEPT]: [
        "ten requests a second apart are answered on one connection",
        ...["Go", "httpx", "Java", "undici"].map((client) =>
          `forty requests as ${client} writes them, GET and POST in turn, share a connection`
        ),
      ],
    },
  },
  "pipelining: lost answers, requests that run at once": {
    only: "HTTP/2 has streams",
    tests: {
      [TURNS]: [
        ...[2, 17, 50, 1000].map((count) =>
          `${count} requests sent ahead are all answered, in their order, on the connection`
        ),
        "a request does not start before the answer to the one before it has ended",
        "what is sent ahead is not read while its turn has not come",
      ],
    },
  },
  "requests behind a closing answer or an error": {
    only: "HTTP/2 has streams",
    tests: {
      [TURNS]: [
        "nothing behind a request with Connection: close is executed",
        "nothing behind an error is executed, and what was answered before it arrives",
      ],
      [SERVER]: ["nothing behind an answer that ends the connection is parsed"],
    },
  },
  "a RST over an answer that was not read": {
    only: "it is about HTTP/1.1's end of a connection",
    tests: {
      [WHOLE]: [
        "an answer is not lost to a client that reads it late and goes on sending",
        "a connection that was answered is not kept for a client that never closes it",
      ],
    },
  },
  "an early answer in the middle of an upload": {
    tests: {
      [WHOLE]: ["an early answer arrives in the middle of an upload that goes on"],
      "tests/integration/l7_early_answers_arrive_over_http2_test.ts": [
        "a 413 in the middle of an upload over HTTP/2 arrives whole, then a reset without an error",
      ],
    },
  },
  "Expect: 100-continue": {
    only: "over HTTP/2 it takes the same path, and h2 clients do not wait",
    tests: {
      [WHOLE]: ["100 Continue comes when a backend is there for the content, and not before"],
    },
  },
  "content where none may be: HEAD, 204, 205, 304": {
    tests: {
      [HOSTILE]: ["content where none may be is not passed on over @"],
      [WHOLE]: ["204", "205", "304", "HEAD", "HEAD in chunks", "204 in chunks"].map((what) =>
        `an answer to ${what} has no content on the wire, whatever the backend sends`
      ),
    },
  },
  "an upload that the backend does not take": {
    tests: {
      [HELD]: [
        "an upload that the backend does not take stops the client (Content-Length: 2000000000)",
        "an upload that the backend does not take stops the client (Transfer-Encoding: chunked)",
      ],
      [TLS_HELD]: ["an upload that a backend behind TLS does not take stops the client over @"],
    },
  },
  "a client that does not read": {
    tests: {
      [HELD]: ["a client that does not read stops the backend"],
      "tests/integration/l7_holds_little_for_clients_that_do_not_read_test.ts": [
        "little waits for streams that a client does not read, and others go on",
      ],
      [INTERIM]: [
        "a client over HTTP/2 that does not read is not sent hints beyond what waits, and keeps its answers",
      ],
    },
  },
  "interim responses without end": {
    tests: {
      [INTERIM]: ["http1", "h2"].flatMap((backend) =>
        ["HTTP/1.1", "HTTP/2"].flatMap((front) => [
          `of 9 hints of a backend over ${backend} 8 pass over ${front}, then 200`,
          `of 64 hints of a backend over ${backend} 8 pass over ${front}, then 200`,
          `of 65 hints of a backend over ${backend} 8 pass over ${front}, then 502`,
        ])
      ),
      [HOSTILE]: ["informational answers without end are a 502 over @, and few pass"],
    },
  },

  // --- backends --------------------------------------------------------------------------------
  "a bad status: 000 to 099, 1000, letters": {
    tests: {
      [HOSTILE]: ["status 000", "status 001", "status 099", "status 1000", "status in letters"]
        .map(answer),
    },
  },
  "an answer with Content-Length and Transfer-Encoding": {
    tests: { [HOSTILE]: [answer("Content-Length with Transfer-Encoding"), answer("two lengths")] },
  },
  "an answer in wrong chunks": {
    tests: {
      [HOSTILE]: [
        answer("a chunk size in letters"),
        answer("a chunk size beyond all bounds"),
        answer("a chunk line without end"),
        cut("malformed chunks"),
        cut("a chunk that is too long"),
      ],
    },
  },
  "an answer in an unknown coding": {
    tests: { [HOSTILE]: [answer("an unknown coding"), answer("chunked not last")] },
  },
  "a head of a gigabyte": {
    tests: { [HOSTILE]: ["a head without end is a 502 over @, and not read for long"] },
  },
  "a 101 unasked, or to something else": {
    tests: { [HOSTILE]: [answer("a 101 unasked")] },
  },
  "an upgrade that is refused": {
    tests: {
      [TUNNELS]: [
        ...["403", "426", "301", "200", "204", "a 101 without Upgrade"]
          .map((what) => `${what} opens no tunnel over @`),
        ...[301, 403, 404, 500]
          .map((status) => `a backend over HTTP/2 that answers ${status} opens no tunnel over @`),
      ],
    },
  },
  "a close before, in and behind an answer": {
    tests: {
      [HOSTILE]: [
        "a close before the answer is a 502 over @: GET is asked twice, POST once",
        "a close after an informational answer is a 502 over @, asked once",
        cut("a length"),
        cut("a chunk"),
        cut("the last chunk"),
      ],
    },
  },
  "octets behind an answer": {
    tests: {
      [HOSTILE]: [
        "octets behind an answer are nobody's answer over @",
        "octets behind an answer that come later close the connection, over @",
        "octets before any request are a 502 over @",
      ],
      [CLIENT]: [
        "what follows an answer is delivered to nobody, and the connection is not used again",
      ],
    },
  },
  "a tunnel or a refused upgrade that keeps its permit": {
    tests: {
      [PERMITS]: [
        "a tunnel on which nothing moves gives its permit back over @",
        "a silent tunnel to a backend over HTTP/2 gives its permit back over @",
        "a client that stays when its tunnel has ended gives the permit back over @",
        "a client that stays and was refused gives the permit back over @",
        "CONNECT over HTTP/1.1 is a 501, and a client that stays gives the permit back",
        "CONNECT over HTTP/2 is a 501, and a client that stays gives the permit back",
      ],
    },
  },
  "a limit of connections that is not enforced": {
    only: "the pool is the same for both",
    tests: {
      [POOL]: [
        "maxConnections counts connections being opened, and holds",
        "one client cannot take the pool, and gets what it waited for when it gives back",
        "maxWaiting is the most that wait, half of it for one client",
      ],
    },
  },
  "answers before their requests end leak connections": {
    only: "the exchange is the same for both",
    tests: {
      [TROUBLE]: ["answers that come before their requests end cost the backend no connection"],
      [POOL]: [
        "release() of an unfinished request on HTTP/1.1 closes its connection, 512 times too",
      ],
    },
  },
  "a backend that greets late": {
    only: "the pool is the same for both",
    tests: {
      [TROUBLE]: ["auto", "h2"].map((protocol) =>
        `${protocol}: a backend that greets late gets one connection, and answers everybody`
      ),
      [POOL]: ["auto: one request opens one connection, however late the greeting is"],
    },
  },
  "a backend that closes each connection, or changed its protocol": {
    tests: {
      [TROUBLE]: [
        ...["auto", "h2", "http1"].map((protocol) =>
          `${protocol}: a backend that closes each connection is dialled 3 times at most for a request over @`
        ),
        "a backend that changed from h2c to HTTP/1.1 costs few connections, and answers",
      ],
    },
  },
  "a PING's deadline that is half of what it says": {
    only: "it is towards backends",
    tests: {
      [LIVENESS]: [
        "the times are 15 s until the question and 10 s until the end, 25 s in all",
        "check() asks after PING_AFTER_MS of silence and gives up PING_TIMEOUT_MS later",
      ],
    },
  },
  "pools of routes that are gone": {
    only: "the pool is the same for both",
    tests: {
      [TROUBLE]: [
        "connections to backends of routes that are gone are closed; open requests are answered",
      ],
      [POOL]: [
        "retire() ends idle connections now, busy ones with their last request, and opens none",
      ],
    },
  },
  "an exchange that throws ends a worker": {
    tests: {
      "tests/integration/l7_faults_end_one_exchange_test.ts": [
        "a step that throws is a 502 over @, logged with the request's id",
        "an end that throws costs no other request and no connection over @",
      ],
      "tests/unit/l7/exchange_faults_test.ts": [
        "every public method that a front, a pool or a backend calls is guarded",
        "a fault before the answer is a 502, one after it a reset",
      ],
    },
  },
};
