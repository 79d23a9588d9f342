import assert from "node:assert/strict";
import { REQUEST_BLOCK_BYTES } from "../../../lib/observe/mod.ts";
import { MessageError } from "../../../lib/workers/checks.ts";
import { checkMessage as checkDnsMessage } from "../../../lib/dns_server/incoming.ts";
import { checkMessage } from "../../../lib/workers/incoming.ts";
import type { FuzzTarget } from "../../support/fuzz_target.ts";

/** What was asked, for answers. */
const QUESTIONS = [
  "apply",
  "drain",
  "close_connection",
  "find_connections",
  "close_connections",
  "live_traffic",
  "take_counts",
] as const;
const WORDS = [
  ...["type", "events", "access_log", "requests", "admit", "leave", "log", "reply", "id", "error"],
  ...["value", "request", "record", "level", "message", "fields", "route", "block", "session"],
  ...["connections", "total", "ruleHits", "routes", "backends", "hitters", "group", "by", "keys"],
  ...["listener", "peer", "client", "mode", "outcome", "bytesIn", "bytesOut", "durationMs", "sni"],
  ...["__proto__", "length", "toString", "l4", "relayed", "error", "counts", "errors", "missed"],
];
/** Of the words behind the first one: seven types that there are, and one that there is not. */
const TYPES = 8;
const NUMBERS = [0, 1, -1, 2 ** 32, NaN, Infinity, 0.5, 1e308];

/** A value that structured cloning can carry, as the octets say: an input is a small program. */
class Values {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(depth: number): unknown {
    const kind = this.#octet() % (depth > 6 ? 7 : 11);
    switch (kind) {
      case 0:
        return WORDS[this.#octet() % WORDS.length];
      case 1:
        return this.#octet();
      case 2:
        return NUMBERS[this.#octet() % NUMBERS.length];
      case 3:
        return this.#octet() % 2 === 0;
      case 4:
        return "x".repeat(this.#octet() * 40);
      case 5:
        return [undefined, null, 7n, new Date(0)][this.#octet() % 4];
      case 6:
        return new SharedArrayBuffer(REQUEST_BLOCK_BYTES - this.#octet() % 2);
      case 7:
        return Array.from({ length: this.#octet() % 5 }, () => this.next(depth + 1));
      case 8:
        return new Map([[this.next(depth + 1), this.next(depth + 1)]]);
      default: {
        const entries = Array.from({ length: this.#octet() % 8 }, () => {
          return [WORDS[this.#octet() % WORDS.length], this.next(depth + 1)];
        });
        return Object.fromEntries(entries);
      }
    }
  }

  #octet(): number {
    return this.#bytes[this.#at++] ?? 0;
  }
}

/**
 * What a worker that a stranger has taken over may send: the first octet says what it was asked, the
 * second of what type the message is.
 */
export const WORKER_MESSAGES: FuzzTarget = {
  name: "worker_messages",
  rounds: 8000,
  make: (random) => random.bytes(2 + random.below(120)),
  check(bytes) {
    const asked = QUESTIONS[(bytes[0] ?? 0) % QUESTIONS.length];
    const type = WORDS[1 + (bytes[1] ?? 0) % TYPES];
    const values = new Values(bytes.subarray(2));
    const parts = values.next(0);
    const message = { ...typeof parts === "object" ? parts : { value: parts }, type, id: 1 };
    let taken;
    try {
      taken = checkMessage(message, (id) => id === 1 ? asked : undefined);
    } catch (error) {
      return void assert(error instanceof MessageError, `${Deno.inspect(message)}: ${error}`);
    }
    // What was taken is taken again, and stays what it is.
    assert.deepEqual(checkMessage(taken, (id) => id === 1 ? asked : undefined), taken);
    assert.equal(Object.getPrototypeOf(taken), Object.prototype);
    assert.equal(taken.type, type);
  },
};

const DNS_TYPES = ["reply", "log", "ask", "failed", "constructor"];
const DNS_WORDS = ["message", "journal", "octets", "host", "origin", "serial", "kind", "what"];

/** The same of a worker of the name server: the first octet says of what type the message is. */
export const DNS_WORKER_MESSAGES: FuzzTarget = {
  name: "dns_worker_messages",
  rounds: 4000,
  make: (random) => random.bytes(4 + random.below(80)),
  check(bytes) {
    const type = DNS_TYPES[(bytes[0] ?? 0) % DNS_TYPES.length];
    const values = new Values(bytes.subarray(4));
    const what = {
      kind: DNS_WORDS[(bytes[1] ?? 0) % 3],
      octets: (bytes[2] ?? 0) % 2 === 0 ? new Uint8Array(bytes[3] ?? 0) : values.next(5),
      host: values.next(5),
      origin: values.next(5),
      serial: values.next(5),
    };
    const parts = values.next(0);
    const message = { ...typeof parts === "object" ? parts : {}, type, id: 1, ask: 2, what };
    let taken;
    try {
      taken = checkDnsMessage(message);
    } catch (error) {
      return void assert(error instanceof MessageError, `${Deno.inspect(message)}: ${error}`);
    }
    assert.deepEqual(checkDnsMessage(taken), taken);
    assert.equal(Object.getPrototypeOf(taken), Object.prototype);
    assert.equal(taken.type, type);
  },
};
