import assert from "node:assert/strict";
import { ErrorCode, type RequestHead } from "../../../lib/h2/mod.ts";
import { FieldKind, NEVER_INDEXED } from "../../../lib/h2/field_names.ts";
import { HeaderAssembler } from "../../../lib/h2/header_rules.ts";
import { get, Pair } from "../../support/h2_pair.ts";
import { RawPeer, REQUEST } from "../../support/h2_raw.ts";
import { isVisible, TOKEN_OCTET } from "../../support/h2_header_rules.ts";

/** Sends one request without content. Answers its head, or the reason it was refused for. */
function request(fields: readonly string[]): RequestHead | string {
  const peer = new RawPeer();
  peer.send(peer.headers(1, fields));
  const head = peer.recorder.streams.get(1)?.request;
  if (head !== undefined) return head;
  assert.equal(peer.resetCode(1), ErrorCode.protocolError);
  return peer.recorder.refusals[0]?.reason ?? "no reason";
}

/** The plain request with pseudo-headers replaced or removed. */
function plain(change: Record<string, string | undefined>): string[] {
  const all: Record<string, string | undefined> = {
    ":method": "GET",
    ":scheme": "https",
    ":authority": "example.net",
    ":path": "/",
    ...change,
  };
  return Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [name, value]);
}

Deno.test("HeaderAssembler takes a request apart", () => {
  const head = request([...REQUEST, "content-length", "0", "te", "trailers", "x", ""]);
  assert.deepEqual(head, {
    method: "POST",
    scheme: "https",
    authority: "example.net",
    path: "/",
    protocol: "",
    fields: ["content-length", "0", "te", "trailers", "x", ""],
    contentLength: 0,
    neverIndexed: undefined,
  });
});

Deno.test("HeaderAssembler keeps names like __proto__ as plain strings", () => {
  const head = request([...REQUEST, "__proto__", "1", "constructor", "2"]);
  assert(typeof head !== "string");
  assert.deepEqual(head.fields, ["__proto__", "1", "constructor", "2"]);
});

Deno.test("HeaderAssembler joins cookie crumbs and remembers what must stay literal", () => {
  const pair = new Pair();
  pair.client.request(get("/", ["cookie", "a=1", "x", "y", "cookie", "b=2"]), true);
  pair.run();
  const head = pair.serverSide.streams.get(1)?.request;
  assert.deepEqual(head?.fields, ["cookie", "a=1; b=2", "x", "y"]);
  assert.deepEqual(head?.neverIndexed, ["cookie", "cookie"]);
});

const ACCEPTED: Record<string, readonly string[]> = {
  "CONNECT": [":method", "CONNECT", ":authority", "a.example:443"],
  "OPTIONS *": plain({ ":method": "OPTIONS", ":path": "*" }),
  "host instead of :authority": [...plain({ ":authority": undefined }), "host", "example.net"],
  "host equal to :authority but for case": [...plain({}), "host", "EXAMPLE.net"],
  "an IPv6 authority with a port": plain({ ":authority": "[2001:db8::1]:8443" }),
  "an unusual method": plain({ ":method": "M-SEARCH" }),
  "every visible character of a path": plain({ ":path": "/%20!\"$&'()*+,;=:@[]{}|\\^`~?a=/?" }),
  "Latin-1 in a value": [...plain({}), "x-name", "caf\xe9 \xff"],
  "a tab inside a value": [...plain({}), "x-name", "a\tb"],
};

for (const [name, fields] of Object.entries(ACCEPTED)) {
  Deno.test(`HeaderAssembler accepts ${name}`, () => {
    assert.notEqual(typeof request(fields), "string");
  });
}

/** Why; what is not named here is a field of HTTP/1.1's connections. */
const REASONS: Record<string, string> = {
  "CONNECT with :scheme": "CONNECT must have :authority and no :scheme or :path",
  "a :protocol that is no token": "invalid extended CONNECT",
  "extended CONNECT without :authority": "invalid extended CONNECT",
  "a host that is none": "invalid host",
  "no :method": "missing or invalid :method",
  "no :scheme": "missing or invalid :scheme",
  "no :path": "missing or invalid :path",
  "an empty :path": "missing or invalid :path",
  "an empty :authority": "empty :authority",
  "a method with a space": "missing or invalid :method",
  "a scheme with a slash": "missing or invalid :scheme",
  "a path without a slash": "missing or invalid :path",
  "an absolute URL as path": "missing or invalid :path",
  "* without OPTIONS": "missing or invalid :path",
  "a path with a space": "missing or invalid :path",
  "a path with a fragment (CVE-2023-45539)": "missing or invalid :path",
  "a path with octets beyond ASCII": "missing or invalid :path",
  "user information in :authority": "invalid :authority",
  "a slash in :authority": "invalid :authority",
  "a space in :authority": "invalid :authority",
  "a second :path": "repeated pseudo-header",
  "a second :authority": "repeated pseudo-header",
  ":status in a request": ":status in a request",
  "an unknown pseudo-header": "unknown pseudo-header",
  "a pseudo-header after a field": "pseudo-header after a regular field",
  "host after which comes a pseudo-header": "pseudo-header after a regular field",
  "host that differs from :authority": "host differs from :authority",
  "two hosts": "repeated host",
  "an empty host": "empty host",
  "CONNECT with :path": "CONNECT must have :authority and no :scheme or :path",
  "CONNECT without :authority": "CONNECT must have :authority and no :scheme or :path",
  ":protocol without CONNECT": "invalid extended CONNECT",
  "an empty :protocol": "CONNECT must have :authority and no :scheme or :path",
  "content-length without content": "content shorter than content-length",
  "two content-lengths": "repeated content-length",
  "a list of content-lengths": "invalid content-length",
  "a signed content-length": "invalid content-length",
  "a hexadecimal content-length": "invalid content-length",
  "an empty content-length": "invalid content-length",
  "a huge content-length": "invalid content-length",
  "te: gzip": "te is not trailers",
  "te: trailers, gzip": "te is not trailers",
  "an empty name": "invalid octet in a field name",
  "an upper-case name": "invalid octet in a field name",
  "a value that begins with a space": "invalid octet in a field value",
  "a value that ends with a tab": "invalid octet in a field value",
};

const REFUSED: Record<string, readonly string[]> = {
  "no :method": plain({ ":method": undefined }),
  "no :scheme": plain({ ":scheme": undefined }),
  "no :path": plain({ ":path": undefined }),
  "an empty :path": plain({ ":path": "" }),
  "an empty :authority": plain({ ":authority": "" }),
  "a method with a space": plain({ ":method": "GET /" }),
  "a scheme with a slash": plain({ ":scheme": "https://a" }),
  "a path without a slash": plain({ ":path": "index.html" }),
  "an absolute URL as path": plain({ ":path": "http://b.example/" }),
  "* without OPTIONS": plain({ ":path": "*" }),
  "a path with a space": plain({ ":path": "/ HTTP/1.1" }),
  "a path with a fragment (CVE-2023-45539)": plain({ ":path": "/a#.png" }),
  "a path with octets beyond ASCII": plain({ ":path": "/caf\xe9" }),
  "user information in :authority": plain({ ":authority": "u@example.net" }),
  "a slash in :authority": plain({ ":authority": "example.net/x" }),
  "a space in :authority": plain({ ":authority": "example.net x" }),
  "a second :path": [...plain({}), ":path", "/2"],
  "a second :authority": [...plain({}), ":authority", "b.example"],
  ":status in a request": [...plain({}), ":status", "200"],
  "an unknown pseudo-header": [...plain({}), ":foo", "1"],
  "a pseudo-header after a field": ["x", "y", ...plain({})],
  "host after which comes a pseudo-header": ["host", "example.net", ...plain({})],
  "host that differs from :authority": [...plain({}), "host", "b.example"],
  "two hosts": [...plain({ ":authority": undefined }), "host", "a", "host", "a"],
  "an empty host": [...plain({ ":authority": undefined }), "host", ""],
  "CONNECT with :path": plain({ ":method": "CONNECT", ":scheme": undefined }),
  "CONNECT without :authority": [":method", "CONNECT"],
  "CONNECT with :scheme": [":method", "CONNECT", ":scheme", "https", ":authority", "a:443"],
  "a :protocol that is no token": [...plain({ ":method": "CONNECT" }), ":protocol", "web socket"],
  "extended CONNECT without :authority": [
    ...plain({ ":method": "CONNECT", ":authority": undefined }),
    ":protocol",
    "websocket",
  ],
  "a host that is none": [...plain({ ":authority": undefined }), "host", "a b"],
  ":protocol without CONNECT": [...plain({}), ":protocol", "websocket"],
  "an empty :protocol": [...plain({ ":method": "CONNECT" }), ":protocol", ""],
  "content-length without content": [...plain({}), "content-length", "1"],
  "two content-lengths": [...plain({}), "content-length", "0", "content-length", "0"],
  "a list of content-lengths": [...plain({}), "content-length", "0, 0"],
  "a signed content-length": [...plain({}), "content-length", "+0"],
  "a hexadecimal content-length": [...plain({}), "content-length", "0x0"],
  "an empty content-length": [...plain({}), "content-length", ""],
  "a huge content-length": [...plain({}), "content-length", "9".repeat(16)],
  "te: gzip": [...plain({}), "te", "gzip"],
  "te: trailers, gzip": [...plain({}), "te", "trailers, gzip"],
  "an empty name": [...plain({}), "", "x"],
  "an upper-case name": [...plain({}), "X-Name", "x"],
  "a value that begins with a space": [...plain({}), "x", " y"],
  "a value that ends with a tab": [...plain({}), "x", "y\t"],
};

for (
  const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
) {
  REFUSED[name] = [...plain({}), name, "x"];
}

for (const [name, fields] of Object.entries(REFUSED)) {
  Deno.test(`HeaderAssembler refuses ${name}`, () => {
    assert.equal(request(fields), REASONS[name] ?? "connection-specific field");
  });
}

Deno.test("HeaderAssembler tries every octet in names and values", () => {
  for (let octet = 0; octet < 256; octet++) {
    const char = String.fromCharCode(octet);
    const inName = typeof request([...plain({}), `x${char}y`, "z"]) !== "string";
    assert.equal(inName, /[!#$%&'*+\-.^_`|~0-9a-z]/.test(char), `name octet ${octet}`);
    const inValue = typeof request([...plain({}), "x", `a${char}b`]) !== "string";
    assert.equal(inValue, octet === 9 || (octet >= 32 && octet !== 127), `value octet ${octet}`);
  }
});

/** Each place of a head, how an octet gets there, and where which octets may be. */
const PLACES: Record<string, {
  put: (text: string) => readonly string[];
  text: string;
  allowed: (char: string, octet: number, place: "first" | "middle" | "last") => boolean;
}> = {
  "a method": {
    put: (text) => plain({ ":method": text }),
    text: "GET",
    allowed: (char) => TOKEN_OCTET.test(char),
  },
  "a scheme": {
    put: (text) => plain({ ":scheme": text }),
    text: "http",
    allowed: (char, _, place) => (place === "first" ? /[a-z]/ : /[a-z0-9+\-.]/).test(char),
  },
  "an authority": {
    put: (text) => plain({ ":authority": text }),
    text: "a.test",
    allowed: (char) => /[A-Za-z0-9\-._~!$&'()*+,;=:%[\]]/.test(char),
  },
  "a host": {
    put: (text) => [...plain({ ":authority": undefined }), "host", text],
    text: "a.test",
    allowed: (char) => /[A-Za-z0-9\-._~!$&'()*+,;=:%[\]]/.test(char),
  },
  "a path": {
    put: (text) => plain({ ":path": text }),
    text: "/a/b",
    allowed: (char, _, place) => place === "first" ? char === "/" : /[!"$-~]/.test(char),
  },
  "a name": {
    put: (text) => [...plain({}), text, "z"],
    text: "x-y",
    allowed: (char) => TOKEN_OCTET.test(char) && !/[A-Z]/.test(char),
  },
  "a value": {
    put: (text) => [...plain({}), "x", text],
    text: "a b",
    allowed: (_, octet, place) =>
      isVisible(octet) || (place === "middle" && (octet === 9 || octet === 32)),
  },
  "a cookie": {
    put: (text) => [...plain({}), "cookie", text],
    text: "a=b",
    allowed: (_, octet, place) =>
      isVisible(octet) || (place === "middle" && (octet === 9 || octet === 32)),
  },
};

for (const [name, { put, text, allowed }] of Object.entries(PLACES)) {
  Deno.test(`HeaderAssembler tries every octet first, last and in the middle of ${name}`, () => {
    for (let octet = 0; octet < 256; octet++) {
      const char = String.fromCharCode(octet);
      const inPlace = {
        first: char + text.slice(1),
        middle: text[0] + char + text.slice(1),
        last: text.slice(0, -1) + char,
      };
      for (const place of ["first", "middle", "last"] as const) {
        const taken = typeof request(put(inPlace[place])) !== "string";
        assert.equal(taken, allowed(char, octet, place), `octet ${octet}, ${place}`);
      }
    }
  });
}

Deno.test("HeaderAssembler refuses a bad field again when it comes from the table", () => {
  const peer = new RawPeer();
  for (const id of [1, 3, 5]) peer.send(peer.headers(id, [...REQUEST, "x-bad", "a\nb"]));
  assert.equal(peer.recorder.refusals.length, 3);
  assert.equal(peer.recorder.streams.size, 0);
});

Deno.test.each([["example.net", undefined, "example.net"], [undefined, "b.example", "b.example"], [
  "example.net",
  "EXAMPLE.net",
  "example.net",
]])("a request for :authority %s and host %s is for %s", (authority, host, want) => {
  const head = request([...plain({ ":authority": authority }), ...host ? ["host", host] : []]);
  assert(typeof head !== "string");
  assert.equal(head.authority, want);
});

/** A block as the decoder hands it over: names, values and tags. */
function assembled(fields: readonly (readonly [string, string, number])[]): HeaderAssembler {
  const assembler = new HeaderAssembler(10_000);
  assembler.begin();
  for (const [name, value, tag] of fields) assembler.field(name, value, tag);
  return assembler;
}

Deno.test("HeaderAssembler passes a response's host on, as nothing is decided by it", () => {
  const head = assembled([
    [":status", "200", FieldKind.status],
    ["host", "b.example", FieldKind.host],
  ]).response();
  assert.deepEqual([head?.status, head?.fields], [200, ["host", "b.example"]]);
});

Deno.test("HeaderAssembler passes on a field that must not be indexed, and says so", () => {
  const head = assembled([
    [":status", "200", FieldKind.status],
    ["x-token", "secret", NEVER_INDEXED],
  ]).response();
  assert.deepEqual([head?.fields, head?.neverIndexed], [["x-token", "secret"], ["x-token"]]);
});
