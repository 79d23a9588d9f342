import assert from "node:assert/strict";
import { type ClientHello, parseClientHello } from "../../../lib/sni/mod.ts";
import {
  buildClientHello,
  concat,
  type HelloOptions,
  record,
  serverNameBody,
  u16,
  vector16,
  vector8,
} from "../../support/hello.ts";

/** The decoded hello; fails the test with the reason if there is none. */
function parsed(options: HelloOptions): ClientHello {
  const bytes = buildClientHello(options);
  const hello = parseClientHello(bytes);
  assert.equal(hello.kind, "ok", hello.kind === "invalid" ? hello.reason : hello.kind);
  assert(hello.kind === "ok");
  assert.equal(hello.size, bytes.length);
  return hello.value;
}

/** Why the hello is refused; fails the test if it is not. */
function refusal(options: HelloOptions): string {
  const hello = parseClientHello(buildClientHello(options));
  assert(hello.kind === "invalid", `not refused but ${hello.kind}`);
  return hello.reason;
}

Deno.test("parseClientHello() reads every part of a TLS 1.3 hello", () => {
  assert.deepEqual(parsed({ serverName: "www.example.net", alpn: ["h2", "http/1.1"] }), {
    serverName: "www.example.net",
    alpn: ["h2", "http/1.1"],
  });
});

Deno.test("parseClientHello() answers ok without a serverName when the client names none", () => {
  assert.deepEqual(parsed({}), {
    alpn: [],
  });
});

Deno.test.each([[0x0300], [0x0301], [0x0302], [0x0303]])(
  "parseClientHello() reads a hello of version %d that ends without extensions",
  (legacyVersion) => {
    const hello = parsed({ legacyVersion, extensions: false });
    assert.deepEqual(hello, { alpn: [] });
  },
);

Deno.test("parseClientHello() leaves GREASE out of ALPN, and steps over the rest", () => {
  const hello = parsed({ serverName: "g.example", alpn: ["h2"], grease: true });
  assert.deepEqual(hello.alpn, ["h2"]);
  assert.equal(hello.serverName, "g.example");
});

Deno.test("parseClientHello() gives the outer name of an Encrypted Client Hello", () => {
  const hello = parsed({ serverName: "public.example", ech: true });
  assert.equal(hello.serverName, "public.example");
});

Deno.test.each([[0], [1], [32]])(
  "parseClientHello() reads a session_id of %d octets",
  (sessionIdLength) => {
    assert.equal(parsed({ serverName: "s.example", sessionIdLength }).serverName, "s.example");
  },
);

Deno.test("parseClientHello() steps over every other extension, pre_shared_key last included", () => {
  const extraExtensions = [
    { type: 5, body: Uint8Array.of(1, 0, 0, 0, 0) },
    { type: 35, body: new Uint8Array(192) },
    { type: 42, body: new Uint8Array(0) },
    { type: 17513, body: vector16(vector8(new TextEncoder().encode("h2"))) },
    { type: 43, body: Uint8Array.of(3, 3, 4, 3) },
    { type: 41, body: new Uint8Array(300) },
  ];
  assert.equal(parsed({ serverName: "psk.example", extraExtensions }).serverName, "psk.example");
});

Deno.test("parseClientHello() keeps each octet of an ALPN protocol as one character", () => {
  const body = vector16(
    concat([vector8(Uint8Array.of(0xff, 0, 0x80)), vector8(u16(0x0a1a)), vector8(u16(0x6161))]),
  );
  assert.deepEqual(parsed({ extraExtensions: [{ type: 16, body }] }).alpn, [
    "\xff\0\x80",
    "\x0a\x1a",
    "aa",
  ]);
});

const REPEATED: [number, Uint8Array][] = [
  [0, serverNameBody([{ type: 0, name: "b.example" }])],
  [16, vector16(vector8(Uint8Array.of(0x68, 0x32)))],
];

Deno.test.each(REPEATED)("parseClientHello() refuses extension %d sent twice", (type, body) => {
  const once = { serverName: "a.example", alpn: ["h2"], ech: true };
  const reason = `extension ${type} is repeated`;
  assert.equal(refusal({ ...once, extraExtensions: [{ type, body }] }), reason);
});

const host = concat([Uint8Array.of(0), vector16(new TextEncoder().encode("a.example"))]);
const REFUSED_BODIES: [string, number, Uint8Array, string][] = [
  ["server_name empty", 0, new Uint8Array(0), "server_name has a wrong length"],
  ["server_name list empty", 0, u16(0), "server_name lists nothing"],
  ["server_name list too long", 0, concat([u16(13), host]), "server_name has a wrong length"],
  ["server_name list too short", 0, concat([u16(11), host]), "server_name has a wrong length"],
  [
    "octets after the server_name list",
    0,
    concat([vector16(host), u16(0)]),
    "server_name has a wrong length",
  ],
  [
    "octets after the name in the list",
    0,
    vector16(concat([host, u16(0)])),
    "a name in server_name has a wrong length",
  ],
  [
    "name longer than its list",
    0,
    vector16(concat([Uint8Array.of(0), u16(9), u16(0)])),
    "a name in server_name has a wrong length",
  ],
  [
    "name without a length",
    0,
    vector16(Uint8Array.of(0)),
    "a name in server_name has a wrong length",
  ],
  ["ALPN empty", 16, new Uint8Array(0), "ALPN has a wrong length"],
  ["ALPN list empty", 16, u16(0), "ALPN lists nothing"],
  ["ALPN protocol empty", 16, vector16(Uint8Array.of(0)), "a protocol in ALPN is empty"],
  [
    "ALPN protocol empty behind another",
    16,
    vector16(Uint8Array.of(2, 0x68, 0x32, 0)),
    "a protocol in ALPN is empty",
  ],
  [
    "ALPN protocol too long",
    16,
    vector16(Uint8Array.of(3, 0x68, 0x32)),
    "a protocol in ALPN has a wrong length",
  ],
  [
    "octets after ALPN",
    16,
    concat([vector16(Uint8Array.of(1, 0x68)), u16(0)]),
    "ALPN has a wrong length",
  ],
  [
    "one octet after ALPN",
    16,
    concat([vector16(Uint8Array.of(1, 0x68)), Uint8Array.of(0)]),
    "ALPN has a wrong length",
  ],
];

Deno.test.each(REFUSED_BODIES)("parseClientHello() refuses %s", (_, type, body, reason) => {
  assert.equal(refusal({ versions: [], extraExtensions: [{ type, body }] }), reason);
});

const REFUSED_MESSAGES: [string, HelloOptions, string][] = [
  ["a session_id of 33 octets", { sessionIdLength: 33 }, "session_id has a wrong length"],
  ["no cipher suite", { cipherSuites: [] }, "cipher_suites has a wrong length"],
  [
    "a type of an extension cut in two",
    { extensions: false, trailing: Uint8Array.of(0, 1, 0) },
    "an extension is cut",
  ],
  ["octets after the extensions", { trailing: Uint8Array.of(0) }, "extensions have a wrong length"],
  [
    "octets where extensions begin",
    { extensions: false, trailing: Uint8Array.of(0) },
    "extensions have a wrong length",
  ],
  [
    "extensions longer than the message",
    { extensions: false, trailing: Uint8Array.of(0, 4, 0, 0) },
    "extensions have a wrong length",
  ],
  ["an extension longer than its block", {
    extensions: false,
    trailing: Uint8Array.of(0, 4, 0, 23, 0, 1),
  }, "an extension is cut"],
  ["a read extension longer than its block", {
    extensions: false,
    trailing: Uint8Array.of(0, 4, 0, 0, 0, 1),
  }, "an extension is cut"],
  [
    "an extension without a length",
    { extensions: false, trailing: Uint8Array.of(0, 2, 0, 23) },
    "an extension is cut",
  ],
];

Deno.test.each(REFUSED_MESSAGES)("parseClientHello() refuses %s", (_, options, reason) => {
  assert.equal(refusal(options), reason);
});

Deno.test("parseClientHello() refuses a message cut at any octet by its own length", () => {
  const whole = buildClientHello({ serverName: "cut.example", alpn: ["h2"], extensions: true });
  for (let cut = 1; cut <= whole.length - 9; cut++) {
    const bytes = whole.slice(0, whole.length - cut);
    const body = bytes.length - 9;
    bytes.set(u16(body + 4), 3);
    bytes.set(u16(body), 7);
    const hello = parseClientHello(bytes);
    // A hello that ends right after compression_methods is a whole one (TLS 1.0).
    const endsBeforeExtensions = hello.kind === "ok" && hello.value.serverName === undefined;
    assert(hello.kind === "invalid" || endsBeforeExtensions, `cut by ${cut}: ${hello.kind}`);
  }
});

/** A ClientHello whose body, behind version and random, is these octets. */
function helloOf(...rest: number[]): Uint8Array {
  const body = concat([u16(0x0303), new Uint8Array(32), Uint8Array.from(rest)]);
  return record(concat([Uint8Array.of(1, 0), vector16(body)]));
}

Deno.test.each([
  [[], "session_id has a wrong length"],
  [[1], "session_id has a wrong length"],
  [[0], "cipher_suites has a wrong length"],
  [[0, 0], "cipher_suites has a wrong length"],
  [[0, 0, 0, 1, 0], "cipher_suites has a wrong length"],
  [[0, 0, 1, 0x13, 1, 0], "cipher_suites has a wrong length"],
  [[0, 0, 3, 0x13, 1, 0, 1, 0], "cipher_suites has a wrong length"],
  [[0, 0, 2, 0x13], "cipher_suites has a wrong length"],
  [[0, 0, 2, 0x13, 1], "compression_methods has a wrong length"],
  [[0, 0, 2, 0x13, 1, 0], "compression_methods has a wrong length"],
  [[0, 0, 2, 0x13, 1, 2, 0], "compression_methods has a wrong length"],
  [[0, 0, 2, 0x13, 1, 1, 0, 0], "extensions have a wrong length"],
  [[0, 0, 2, 0x13, 1, 1, 0, 0, 1], "extensions have a wrong length"],
] as [number[], string][])(
  "parseClientHello() reads the parts of a hello in their order: %j, %s",
  (rest, reason) => {
    assert.deepEqual(parseClientHello(helloOf(...rest)), { kind: "invalid", reason });
  },
);

Deno.test("parseClientHello() reads the shortest hello there is", () => {
  assert.equal(parseClientHello(helloOf(0, 0, 2, 0x13, 1, 1, 0)).kind, "ok");
});

Deno.test("parseClientHello() keeps a protocol that only begins like GREASE", () => {
  const body = vector16(concat([
    vector8(Uint8Array.of(0x0a, 0x0a, 0x41)),
    vector8(Uint8Array.of(0x0a)),
    vector8(Uint8Array.of(0x0a, 0x0a)),
  ]));
  assert.deepEqual(parsed({ extraExtensions: [{ type: 16, body }] }).alpn, ["\n\nA", "\n"]);
});
