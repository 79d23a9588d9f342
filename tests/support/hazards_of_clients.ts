/**
 * What connections of clients may do, over HTTP/1.1 and to it: part of `http1_hazards.ts`.
 *
 * @module
 */
import type { Hazard } from "./http1_hazards.ts";

const HOSTILE = "tests/integration/l7_hostile_backends_get_clients_a_502_test.ts";
const KEPT = "tests/integration/http1_connections_are_kept_alive_test.ts";
const TURNS = "tests/integration/http1_requests_run_in_turn_test.ts";
const WHOLE = "tests/integration/http1_answers_arrive_whole_test.ts";
const HELD = "tests/integration/http1_content_is_held_back_test.ts";
const TLS_HELD = "tests/integration/l7_tls_backends_are_held_back_test.ts";
const INTERIM = "tests/integration/l7_interim_responses_are_few_test.ts";
const SERVER = "tests/unit/h1/server_session_test.ts";

export const HAZARDS_OF_CLIENTS: Readonly<Record<string, Hazard>> = {
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
    tests: {
      [WHOLE]: ["100 Continue comes when a backend is there for the content, and not before"],
      "tests/integration/l7_early_answers_arrive_over_http2_test.ts": [
        "100 Continue over HTTP/2 comes when a backend is there for the content, and not before",
      ],
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
};
