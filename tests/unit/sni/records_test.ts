import assert from "node:assert/strict";
import { ClientHelloReader, MAX_CLIENT_HELLO, parseClientHello } from "../../../lib/sni/mod.ts";
import {
  buildClientHello,
  buildClientHelloMessage,
  concat,
  intoRecords,
  record,
} from "../../support/hello.ts";

function nameIn(bytes: Uint8Array): string | undefined {
  const hello = parseClientHello(bytes);
  assert(hello.kind === "ok", hello.kind === "invalid" ? hello.reason : hello.kind);
  assert.equal(hello.size, bytes.length);
  return hello.value.serverName;
}

function reasonFor(bytes: Uint8Array): string {
  const hello = parseClientHello(bytes);
  assert(hello.kind === "invalid", `not refused but ${hello.kind}`);
  return hello.reason;
}

const serverName = "split.example";

Deno.test.each([
  ["one octet each", [1]],
  ["the handshake header alone", [4, 16_384]],
  ["the handshake header cut", [1, 2, 16_384]],
  ["16 octets each", [16]],
  ["100 octets each", [100]],
  ["growing", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]],
])("parseClientHello() joins records: %s", (_, recordSizes) => {
  assert.equal(
    nameIn(buildClientHello({ serverName, recordSizes, postQuantum: true })),
    serverName,
  );
});

Deno.test("parseClientHello() joins two records cut at any octet", () => {
  const message = buildClientHelloMessage({ serverName, alpn: ["h2"] });
  for (let cut = 1; cut < message.length; cut++) {
    assert.equal(nameIn(intoRecords(message, [cut, message.length])), serverName);
  }
});

Deno.test("parseClientHello() reads a hello of 8 KiB, over 16 KiB and of exactly the limit", () => {
  assert.equal(nameIn(buildClientHello({ serverName, padTo: 8_192 })), serverName);
  assert.equal(nameIn(buildClientHello({ serverName, padTo: 40_000 })), serverName);
  // padTo counts one record header; four more records of 2^14 octets make 65,536 in all.
  const longest = buildClientHello({ serverName, padTo: MAX_CLIENT_HELLO - 3 * 5 });
  assert.equal(longest.length, MAX_CLIENT_HELLO);
  assert.equal(nameIn(longest), serverName);
  const over = buildClientHello({ serverName, padTo: MAX_CLIENT_HELLO - 3 * 5 + 1 });
  assert.equal(reasonFor(over), "the ClientHello is over 65536 octets");
});

Deno.test("parseClientHello() counts record headers in its limit", () => {
  const flood = buildClientHello({ serverName, padTo: 12_000, recordSizes: [1] });
  assert(flood.length > MAX_CLIENT_HELLO);
  assert.equal(reasonFor(flood), "the ClientHello is over 65536 octets");
});

Deno.test("parseClientHello() refuses a declared length over the limit at the handshake header", () => {
  const header = concat([record(Uint8Array.of(1, 1, 0, 0), { length: 16_384 })]);
  assert.equal(reasonFor(header), "the ClientHello is over 65536 octets");
});

Deno.test("parseClientHello() leaves what follows the hello untouched", () => {
  const hello = buildClientHello({ serverName });
  const earlyData = record(new Uint8Array(64), { type: 23, version: 0x0303 });
  const stream = concat([hello, earlyData]);
  const before = stream.slice();
  const answer = parseClientHello(stream);
  assert(answer.kind === "ok");
  assert.equal(answer.size, hello.length);
  assert.deepEqual(stream, before);
});

Deno.test.each([[0x0300], [0x0301], [0x0303], [0x0304], [0x03ff]])(
  "parseClientHello() accepts record version %d: only the major version counts",
  (recordVersion) => {
    assert.equal(nameIn(buildClientHello({ serverName, recordVersion })), serverName);
  },
);

Deno.test("parseClientHello() refuses every first octet but 22 at once", () => {
  for (let octet = 0; octet < 256; octet++) {
    const want = octet === 22 ? "need" : "invalid";
    assert.equal(parseClientHello(Uint8Array.of(octet)).kind, want, `octet ${octet}`);
  }
});

Deno.test("parseClientHello() refuses every record version major but 3 at the second octet", () => {
  for (let octet = 0; octet < 256; octet++) {
    const want = octet === 3 ? "need" : "invalid";
    assert.equal(parseClientHello(Uint8Array.of(22, octet)).kind, want, `octet ${octet}`);
  }
});

Deno.test("parseClientHello() refuses every handshake type but 1 at its first octet", () => {
  for (let octet = 0; octet < 256; octet++) {
    const want = octet === 1 ? "need" : "invalid";
    assert.equal(parseClientHello(Uint8Array.of(22, 3, 1, 1, 0, octet)).kind, want, `${octet}`);
  }
});

Deno.test("parseClientHello() refuses an SSLv2 hello", () => {
  const sslv2 = Uint8Array.fromHex("802e0103010015000000100100800700c0030080060040020080040080");
  assert.equal(reasonFor(sslv2), "the first octet does not start a TLS handshake record");
});

const message = buildClientHelloMessage({ serverName });
const first = record(message.subarray(0, 20));
const rest = message.subarray(20);

Deno.test.each([
  [
    "an empty first record",
    concat([record(new Uint8Array(0)), record(message)]),
    "a handshake record is empty",
  ],
  [
    "an empty record inside",
    concat([first, record(new Uint8Array(0)), record(rest)]),
    "a handshake record is empty",
  ],
  [
    "an alert inside",
    concat([first, record(Uint8Array.of(1, 0), { type: 21 }), record(rest)]),
    "a record of another type interrupts the ClientHello",
  ],
  [
    "application data inside",
    concat([first, record(rest, { type: 23 })]),
    "a record of another type interrupts the ClientHello",
  ],
  [
    "a wrong version inside",
    concat([first, record(rest, { version: 0x0201 })]),
    "the record version is not 3.x",
  ],
  [
    "a record of 16,385 octets",
    record(new Uint8Array(0), { length: 16_385 }),
    "a record is over 16384 octets",
  ],
  [
    "a record of 65,535 octets",
    record(new Uint8Array(0), { length: 65_535 }),
    "a record is over 16384 octets",
  ],
  [
    "a second message in the record",
    record(concat([message, message])),
    "octets follow the ClientHello in its record",
  ],
  [
    "one octet after the message",
    record(concat([message, Uint8Array.of(0)])),
    "octets follow the ClientHello in its record",
  ],
  [
    "an SSH banner",
    new TextEncoder().encode("SSH-2.0-OpenSSH_9.9\r\n"),
    "the first octet does not start a TLS handshake record",
  ],
])("parseClientHello() refuses %s", (_, bytes, reason) => {
  assert.equal(reasonFor(bytes), reason);
});

Deno.test("parseClientHello() waits when the handshake length is longer than what came", () => {
  const lying = buildClientHello({ serverName, handshakeLengthError: 1_000 });
  assert.equal(parseClientHello(lying).kind, "need");
});

Deno.test("parseClientHello() refuses a handshake length shorter than its record", () => {
  const lying = buildClientHello({ serverName, handshakeLengthError: -1 });
  assert.equal(reasonFor(lying), "octets follow the ClientHello in its record");
});

Deno.test.each([
  ["in one record", {}],
  ["in records of 7 octets", { recordSizes: [7] }],
  ["that is post-quantum", { postQuantum: true, grease: true, ech: true }],
])("parseClientHello() returns need for each proper prefix of a hello %s", (_, options) => {
  const bytes = buildClientHello({ serverName, alpn: ["h2"], ...options });
  const reader = new ClientHelloReader();
  for (let length = 0; length < bytes.length; length++) {
    const prefix = bytes.subarray(0, length);
    assert.equal(parseClientHello(prefix).kind, "need", `${length} octets`);
    assert.equal(reader.read(prefix).kind, "need", `${length} octets`);
  }
  assert.deepEqual(reader.read(bytes), parseClientHello(bytes));
});

Deno.test("ClientHelloReader gives the answer again when it is asked again", () => {
  const bytes = buildClientHello({ serverName, recordSizes: [50] });
  const reader = new ClientHelloReader();
  assert.equal(reader.read(bytes.subarray(0, 99)).kind, "need");
  const answer = reader.read(bytes.slice());
  assert.deepEqual(reader.read(bytes), answer);
  assert.equal(answer.kind, "ok");
});

Deno.test("ClientHelloReader looks at each record header once", () => {
  const bytes = buildClientHello({ serverName, padTo: 1_000, recordSizes: [1] });
  const reads = new Uint32Array(bytes.length);
  const counted = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) {
        reads[Number(key)] = (reads[Number(key)] ?? 0) + 1;
      }
      return Reflect.get(target, key, target);
    },
  });
  const reader = new ClientHelloReader();
  for (let length = 1; length < bytes.length; length++) {
    // The proxy has the length of the whole; a shorter view of the same octets has its own.
    const prefix = new Proxy(counted, {
      get: (target, key) => key === "length" ? length : Reflect.get(target, key),
    });
    assert.equal(reader.read(prefix).kind, "need");
  }
  assert(Math.max(...reads) > 0, "nothing was counted");
  // A record of six octets is looked at while it is the last one: at most once a new octet.
  assert(Math.max(...reads) <= 6, `an octet was read ${Math.max(...reads)} times`);
});

Deno.test("parseClientHello() refuses a record that is too long before its length is whole", () => {
  assert.equal(reasonFor(Uint8Array.of(22, 3, 1, 0x41)), "a record is over 16384 octets");
  assert.equal(parseClientHello(Uint8Array.of(22, 3, 1, 0x40)).kind, "need");
  assert.equal(parseClientHello(Uint8Array.of(22, 3, 1)).kind, "need");
});

Deno.test("parseClientHello() waits for the longest hello that may come, and for no longer one", () => {
  const declared = (length: number) =>
    record(Uint8Array.of(1, length >> 16, length >> 8 & 255, length & 255), { length: 16_384 });
  // With its own header of four octets and one record header: 65,536 octets.
  assert.equal(parseClientHello(declared(MAX_CLIENT_HELLO - 9)).kind, "need");
  assert.equal(reasonFor(declared(MAX_CLIENT_HELLO - 8)), "the ClientHello is over 65536 octets");
});

Deno.test.each([[[40, 16_384]], [[8]], [[33, 32]]])(
  "parseClientHello() leaves what follows a hello in records of %j untouched",
  (recordSizes) => {
    const hello = buildClientHello({ serverName, recordSizes });
    const stream = concat([hello, record(new Uint8Array(64).fill(7), { type: 23 })]);
    const answer = parseClientHello(stream);
    assert(answer.kind === "ok");
    assert.equal(answer.size, hello.length);
    assert.equal(answer.value.serverName, serverName);
  },
);
