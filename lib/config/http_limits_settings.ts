import type { HttpLimits } from "../http/mod.ts";
import { duration, integer, size, table } from "../schema/mod.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** `[l7.limits]`. The defaults are those of lib/l7, which a test holds against these. */
export const httpLimits = table<HttpLimits>({
  maxRequestHead: {
    key: "max_request_head",
    kind: size({ min: KIB, max: MIB }),
    default: 64 * KIB,
    doc:
      "A request's first line and fields; a larger head is answered 431, a request line alone that " +
      "is larger 414. Over HTTP/2 each field counts 32 octets more, and a head of more than twice " +
      "this ends the connection. nginx takes 32 KiB, HAProxy 16.",
  },
  maxResponseHead: {
    key: "max_response_head",
    kind: size({ min: KIB, max: MIB }),
    default: 64 * KIB,
    doc: "The same of a backend's response; a larger one is a 502.",
  },
  maxFields: {
    key: "max_fields",
    kind: integer({ min: 16, max: 16_384 }),
    default: 4096,
    doc: "Fields of a head: requests with more are answered 431, responses with more are a 502. " +
      "Each costs memory of its own, however short it is.",
  },
  maxTrailers: {
    key: "max_trailers",
    kind: size({ min: 256, max: MIB }),
    default: 16 * KIB,
    doc: "Trailers behind content in chunks. Over HTTP/2 they may be as large as a head.",
  },
  maxChunkOverhead: {
    key: "max_chunk_overhead",
    kind: size({ min: KIB, max: MIB }),
    default: 16 * KIB,
    doc:
      "What the lines before the chunks of one message may take beside its content and 16 octets " +
      "for each chunk. Extensions of chunks are dropped; content in chunks of one octet with long " +
      "extensions costs a hundred times what it carries.",
  },
  contentBuffer: {
    key: "content_buffer",
    kind: size({ min: 16 * KIB, max: MIB }),
    default: 64 * KIB,
    doc:
      "Content that waits in each direction of a client's connection over HTTP/1.1, beside one " +
      "read of 64 KiB, before the side that sends it is no longer read; twice that on a backend's. " +
      "Content is never held as a whole.",
  },
  headerTimeoutMs: {
    key: "header_timeout",
    kind: duration({ min: SECOND, max: 5 * MINUTE }),
    default: 10 * SECOND,
    doc: "From the first octet of a head to its last; of the first one, from the end of the TLS " +
      "handshake. What began is answered 408.",
  },
  keepAliveTimeoutMs: {
    key: "keep_alive_timeout",
    kind: duration({ min: SECOND, max: HOUR }),
    default: 75 * SECOND,
    doc: "Between an answer and the next request over HTTP/1.1; then the connection is closed. " +
      "Connections over HTTP/2 without a request end after `[proxy] idle_timeout`.",
  },
  maxRequests: {
    key: "max_requests",
    kind: integer({ min: 0, max: 1_000_000_000 }),
    default: 0,
    doc:
      "Requests of one connection: the last one's answer says `Connection: close`, over HTTP/2 " +
      "a GOAWAY follows, and what was sent before the client read it is still served. 0: any number.",
  },
  maxInterim: {
    key: "max_interim",
    kind: integer({ min: 0, max: 1000 }),
    default: 64,
    doc: "Informational responses (1xx) before a response; a backend that sends more is a 502.",
  },
  maxInterimForwarded: {
    key: "max_interim_forwarded",
    kind: integer({ min: 0, max: 1000 }),
    default: 8,
    doc: "And how many of them the client sees. It sees none while it does not read.",
  },
});
