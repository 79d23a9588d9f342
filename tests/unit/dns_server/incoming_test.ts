import assert from "node:assert/strict";
import { checkMessage } from "../../../lib/dns_server/incoming.ts";
import { MessageError } from "../../../lib/workers/mod.ts";

const MESSAGE = { kind: "message", octets: new Uint8Array(12), host: "192.0.2.1" } as const;
const JOURNAL = { kind: "journal", origin: "\x01z\0", serial: 0xffffffff } as const;
const SIZE = { entries: 1, octets: 2 };
const UPSTREAM = {
  ...{ hostname: "192.0.2.1", port: 53, isUp: true, questions: 1, failures: 0, answers: 1 },
  ...{ answerMs: 0.5, strangeDatagrams: 0, keepsCase: true },
};
const COUNTS = {
  ...{ hits: 1, misses: 2, joined: 3, stale: 4, failures: 5, refused: 6, busy: 7, loops: 8 },
};
const STATUS = {
  forward: {
    ...{ counts: COUNTS, cache: SIZE, waiting: 1, questions: 2 },
    zones: [{ zone: "\0", upstreams: [UPSTREAM] }],
  },
  signer: { made: 1, signatures: SIZE, denials: SIZE },
};
const ask = (what: unknown) => ({ type: "ask", ask: 7, what });

Deno.test("checkMessage() takes what a worker says, and leaves behind what it does not", () => {
  const record = { level: "error", message: "m", fields: { reason: "r" } };
  for (
    const message of [
      { type: "reply", id: 1 },
      { type: "reply", id: 1, error: "e" },
      { type: "reply", id: 1, reply: {} },
      { type: "reply", id: 1, reply: { ports: { port: 53, tlsPort: 65_535 } } },
      { type: "reply", id: 1, reply: { status: STATUS } },
      { type: "log", record },
      ask(MESSAGE),
      ask(JOURNAL),
      { type: "failed", reason: "r" },
    ]
  ) {
    assert.deepEqual(checkMessage(message), message);
    assert.deepEqual(checkMessage({ ...message, more: 1 }), message);
  }
  assert.deepEqual(checkMessage(ask({ ...MESSAGE, origin: "x" })), ask(MESSAGE));
});

Deno.test("checkMessage() takes octets out of memory that a worker could go on to change", () => {
  const octets = new Uint8Array(new SharedArrayBuffer(12));
  const taken = checkMessage(ask({ ...MESSAGE, octets }));
  octets.fill(1);
  assert.deepEqual(taken, ask({ ...MESSAGE, octets: new Uint8Array(12) }));
});

Deno.test("checkMessage() cuts reasons off", () => {
  const long = "x".repeat(2000);
  assert.deepEqual(checkMessage({ type: "failed", reason: long }), {
    ...{ type: "failed", reason: long.slice(0, 1024) },
  });
});

for (
  const [what, message, reason] of [
    ["nothing", undefined, "a message of unknown type"],
    ["a string", "reply", "a message of unknown type"],
    ["a type that objects have", { type: "constructor" }, "a message of unknown type"],
    ["a reply to no number", { type: "reply", id: 1.5 }, "id: not a number"],
    ["a reply to a number below 0", { type: "reply", id: -1 }, "id: not a number"],
    [
      "a port over 65,535",
      { type: "reply", id: 1, reply: { ports: { port: 65_536, tlsPort: 0 } } },
      "reply: ports: port: ",
    ],
    [
      "no port of TLS",
      { type: "reply", id: 1, reply: { ports: { port: 1 } } },
      "reply: ports: tlsPort: not a number",
    ],
    [
      "an ask of another kind",
      ask({ ...MESSAGE, kind: "toString" }),
      "what: a message of unknown kind",
    ],
    ["an ask for nothing", ask(null), "what: a message of unknown kind"],
    ["a message that is text", ask({ ...MESSAGE, octets: "x" }), "what: octets: not octets"],
    [
      "a message over 65,535 octets",
      ask({ ...MESSAGE, octets: new Uint8Array(65_536) }),
      "what: octets: not octets",
    ],
    ["a host of 129 characters", ask({ ...MESSAGE, host: "x".repeat(129) }), "what: host: "],
    ["a name over 255 octets", ask({ ...JOURNAL, origin: "x".repeat(256) }), "what: origin: "],
    [
      "a name that is not octets",
      ask({ ...JOURNAL, origin: "\u0100" }),
      "what: origin: not octets",
    ],
    ["a serial over 32 bits", ask({ ...JOURNAL, serial: 2 ** 32 }), "what: serial: not a number"],
    [
      "a field of the log that is none",
      { type: "log", record: { level: "info", message: "m", fields: { "a\nb": 1 } } },
      "record: fields: a field's name",
    ],
    [
      "a level that is none",
      { type: "log", record: { level: "x", message: "m" } },
      "record: level",
    ],
    ["no reason", { type: "failed" }, "reason: not a string"],
  ] as const
) {
  Deno.test(`checkMessage() refuses ${what}`, () => {
    assert.throws(() => checkMessage(message), (error) => {
      assert.ok(error instanceof MessageError);
      assert.ok(error.message.startsWith(reason), error.message);
      return true;
    });
  });
}
