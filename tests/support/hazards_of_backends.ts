/**
 * What backends may do, over HTTP/1.1 and to it: part of `http1_hazards.ts`.
 *
 * @module
 */
import type { Hazard } from "./http1_hazards.ts";

const HOSTILE = "tests/integration/l7_hostile_backends_get_clients_a_502_test.ts";
const TUNNELS = "tests/integration/l7_refused_tunnels_never_open_test.ts";
const PERMITS = "tests/integration/l7_tunnels_give_their_permits_back_test.ts";
const TROUBLE = "tests/integration/l7_backend_trouble_stays_small_test.ts";
const CLIENT = "tests/unit/h1/client_session_test.ts";
const POOL = "tests/unit/upstream/pool_test.ts";
const POOL_LIMITS = "tests/unit/upstream/pool_limits_test.ts";
const POOL_DETECTION = "tests/unit/upstream/pool_detection_test.ts";
const LIVENESS = "tests/unit/upstream/liveness_test.ts";

const answer = (what: string) => `${what} is a 502 over @, and the backend is asked again`;
const cut = (where: string) =>
  `content that ends in the middle of ${where} never looks whole over @`;

export const HAZARDS_OF_BACKENDS: Readonly<Record<string, Hazard>> = {
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
      [POOL_LIMITS]: [
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
      [POOL_DETECTION]: ["auto: one request opens one connection, however late the greeting is"],
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
        "every public method that a client, a pool or a backend calls is guarded",
        "a fault before the answer is a 502, one after it a reset",
      ],
    },
  },
};
