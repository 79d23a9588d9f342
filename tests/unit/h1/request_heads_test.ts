import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../../lib/h1/mod.ts";
import { octets, TestServer } from "../../support/h1_pair.ts";

/** What one request looks like to the owner. */
function read(head: string) {
  const server = new TestServer();
  server.receive(head);
  return { server, seen: server.requests[0], refusal: server.refusals[0] };
}

const lines = (...of: string[]) => `${of.join("\r\n")}\r\n\r\n`;
const get = (...more: string[]) => lines("GET / HTTP/1.1", "Host: a.test", ...more);

Deno.test("a plain request has the head that HTTP/2 would give it", () => {
  const { seen } = read(lines(
    "GET /p?q=1 HTTP/1.1",
    "HOST: a.test:443",
    "X-Odd-Name: \t Odd Value \t",
    "Accept:text/html",
    "empty:",
  ));
  assert.deepEqual(seen?.head, {
    method: "GET",
    scheme: "https",
    authority: "a.test:443",
    path: "/p?q=1",
    protocol: "",
    fields: ["x-odd-name", "Odd Value", "accept", "text/html", "empty", ""],
    contentLength: -1,
  });
  assert.equal(seen?.ended, true);
  assert.equal(seen?.stream.version, "1.1");
});

const TAKEN: Readonly<Record<string, string>> = {
  "a method of WebDAV": lines("VERSION-CONTROL / HTTP/1.1", "Host: a.test"),
  "a method that nobody knows": lines("FOO / HTTP/1.1", "Host: a.test"),
  "a method in lower case": lines("get / HTTP/1.1", "Host: a.test"),
  "a later minor version": lines("GET / HTTP/1.2", "Host: a.test"),
  "HTTP/1.0 without Host": lines("GET / HTTP/1.0"),
  "an empty line before it": `\r\n${get()}`,
  "values beyond ASCII": get("X-A: \xe4\xf6\xff"),
  "an empty Connection": get("Connection: , ,"),
  "OPTIONS for the whole server": lines("OPTIONS * HTTP/1.1", "Host: a.test"),
  "a length of nothing": get("Content-Length: 0"),
  "names that every object has": get("__proto__: 1", "constructor: 2", "toString: 3"),
};
for (const [name, head] of Object.entries(TAKEN)) {
  Deno.test(`a request with ${name} is taken`, () => {
    const { seen, server } = read(head);
    assert.equal(seen?.ended, true);
    assert.deepEqual(server.refusals, []);
    assert.equal(server.open, true);
  });
}

Deno.test("methods and names come through as they are", () => {
  assert.equal(read(TAKEN["a method in lower case"] ?? "").seen?.head?.method, "get");
  const { seen } = read(TAKEN["names that every object has"] ?? "");
  assert.deepEqual(seen?.head?.fields, ["__proto__", "1", "constructor", "2", "tostring", "3"]);
});

const REFUSED: Readonly<Record<string, readonly [status: number, head: string]>> = {
  "Content-Length with Transfer-Encoding": [
    400,
    get("Content-Length: 6", "Transfer-Encoding: chunked"),
  ],
  "Transfer-Encoding with Content-Length": [
    400,
    get("Transfer-Encoding: chunked", "Content-Length: 0"),
  ],
  "two different Content-Lengths": [400, get("Content-Length: 0", "Content-Length: 4")],
  "two equal Content-Lengths": [400, get("Content-Length: 4", "Content-Length: 4")],
  "a list of Content-Lengths": [400, get("Content-Length: 4, 4")],
  "a signed Content-Length": [400, get("Content-Length: +4")],
  "a negative Content-Length": [400, get("Content-Length: -4")],
  "a hexadecimal Content-Length": [400, get("Content-Length: 0x4")],
  "an empty Content-Length": [400, get("Content-Length:")],
  "a Content-Length beyond numbers": [400, get(`Content-Length: ${"9".repeat(16)}`)],
  "a Content-Length with a space in it": [400, get("Content-Length: 4 4")],
  "an unknown coding": [501, get("Transfer-Encoding: gzip")],
  "a coding before chunked": [501, get("Transfer-Encoding: gzip, chunked")],
  "chunked twice in a list": [501, get("Transfer-Encoding: chunked, chunked")],
  "chunked twice in two fields": [
    501,
    get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
  ],
  "identity behind chunked": [
    501,
    get("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
  ],
  "an empty coding": [501, get("Transfer-Encoding:")],
  "a coding with a vertical tab": [400, get("Transfer-Encoding: \x0bchunked")],
  "Transfer-Encoding in HTTP/1.0": [
    400,
    lines("POST / HTTP/1.0", "Host: a.test", "Transfer-Encoding: chunked"),
  ],
  "a space before the colon": [400, get("X-A : 1")],
  "a tab before the colon": [400, get("X-A\t: 1")],
  "a folded line": [400, get("X-A: 1", " folded")],
  "a line folded with a tab": [400, get("X-A: 1", "\tfolded")],
  "a folded first line": [400, lines("GET / HTTP/1.1", " Host: a.test")],
  "a bare line feed": [400, "GET / HTTP/1.1\nHost: a.test\n\n"],
  "a bare line feed after a field": [400, "GET / HTTP/1.1\r\nHost: a.test\n\r\n"],
  "a bare line feed for the empty line": [400, "GET / HTTP/1.1\r\nHost: a.test\r\n\n"],
  "a bare carriage return": [400, get("X-A: 1\rX-B: 2")],
  "two carriage returns": [400, get("X-A: 1\r")],
  "a NUL in a value": [400, get("X-A: 1\0")],
  "a NUL in a name": [400, get("X-\0A: 1")],
  "a control in a value": [400, get("X-A: \x01")],
  "a DEL in a value": [400, get("X-A: \x7f")],
  "a name beyond ASCII": [400, get("X-\xe4: 1")],
  "no name": [400, get(": 1")],
  "a line without a colon": [400, get("X-A")],
  "no Host": [400, lines("GET / HTTP/1.1")],
  "two Hosts": [400, get("Host: a.test")],
  "an empty Host beside an absolute target": [400, lines("GET http://a.test/ HTTP/1.1", "Host:")],
  "a Host with a user": [400, lines("GET / HTTP/1.1", "Host: u@a.test")],
  "a Host with a path": [400, lines("GET / HTTP/1.1", "Host: a.test/x")],
  "a Host with a space": [400, lines("GET / HTTP/1.1", "Host: a.test b.test")],
  "no version": [400, lines("GET /")],
  "a version in lower case": [400, lines("GET / http/1.1", "Host: a.test")],
  "HTTP/2.0": [505, lines("GET / HTTP/2.0", "Host: a.test")],
  "HTTP/0.9": [505, lines("GET / HTTP/0.9", "Host: a.test")],
  "the preface of HTTP/2": [505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  "a version of two digits": [400, lines("GET / HTTP/1.10", "Host: a.test")],
  "two spaces": [400, lines("GET  / HTTP/1.1", "Host: a.test")],
  "a space behind the version": [400, lines("GET / HTTP/1.1 ", "Host: a.test")],
  "a tab between its parts": [400, lines("GET\t/ HTTP/1.1", "Host: a.test")],
  "a space before the method": [400, lines(" GET / HTTP/1.1", "Host: a.test")],
  "a method that is no token": [400, lines("G(T / HTTP/1.1", "Host: a.test")],
  "a target with a fragment": [400, lines("GET /#x HTTP/1.1", "Host: a.test")],
  "a target beyond ASCII": [400, lines("GET /\xe4 HTTP/1.1", "Host: a.test")],
  "a target with a control": [400, lines("GET /\x01 HTTP/1.1", "Host: a.test")],
  "a target without a slash": [400, lines("GET x HTTP/1.1", "Host: a.test")],
  "an asterisk for GET": [400, lines("GET * HTTP/1.1", "Host: a.test")],
  "an absolute target of another scheme": [
    400,
    lines("GET ftp://a.test/ HTTP/1.1", "Host: a.test"),
  ],
  "an absolute target with a user": [400, lines("GET https://u@a.test/ HTTP/1.1", "Host: a.test")],
  "an absolute target without a host": [400, lines("GET https:///x HTTP/1.1", "Host: a.test")],
  "an absolute target with a fragment": [
    400,
    lines("GET https://a.test/#x HTTP/1.1", "Host: a.test"),
  ],
  "a CONNECT with a path": [400, lines("CONNECT /x HTTP/1.1", "Host: a.test")],
  "many empty lines": [400, `${"\r\n".repeat(5)}${get()}`],
  "an upgrade to h2c": [
    501,
    get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
  ],
  "an upgrade to two protocols": [501, get("Connection: Upgrade", "Upgrade: websocket, h2c")],
  "an upgrade with content": [
    400,
    get("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k", "Content-Length: 4"),
  ],
  "an upgrade of a POST": [
    400,
    lines(
      "POST / HTTP/1.1",
      "Host: a.test",
      "Connection: upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: k",
    ),
  ],
  "an upgrade without a key": [400, get("Connection: Upgrade", "Upgrade: websocket")],
  "an upgrade with two keys": [
    400,
    get(
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: k",
      "Sec-WebSocket-Key: l",
    ),
  ],
};
for (const [name, [status, head]] of Object.entries(REFUSED)) {
  Deno.test(`a request with ${name} is answered ${status}, and nothing behind it is read`, () => {
    const { server, seen } = read(`${head}${get("X-Hidden: 1")}`);
    assert.equal(seen, undefined);
    assert.equal(server.refusals[0]?.status, status);
    const answer = server.flush();
    assert.match(
      answer,
      new RegExp(`^HTTP/1\\.1 ${status} [^\\n]+\\r\\n(?:.+\\r\\n)*connection: close\\r\\n`),
    );
    assert.equal(answer.split("HTTP/1.1").length, 2, "one answer");
    assert.equal(server.closed?.by, "rules");
  });
}

Deno.test("the absolute form wins over Host", () => {
  const head = (target: string, host: string) =>
    read(lines(`GET ${target} HTTP/1.1`, `Host: ${host}`)).seen?.head;
  assert.equal(head("http://a.test/x", "b.test")?.authority, "a.test");
  assert.equal(head("HTTPS://a.test:443?q", "b.test")?.path, "/?q");
  assert.equal(head("https://a.test", "a.test")?.path, "/");
  const options = read(lines("OPTIONS https://a.test HTTP/1.1", "Host: b.test")).seen?.head;
  assert.equal(options?.path, "*");
});

Deno.test("fields of the connection are not passed on, nor those that Connection names", () => {
  const { seen } = read(get(
    "Connection: X-Mine, keep-alive, TE",
    "Connection: cookie, Authorization",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic x",
    "X-Mine: 1",
    "Upgrade: h2c",
    "HTTP2-Settings: x",
    "TE: gzip;q=1, trailers",
    "Cookie: a=1",
    "Authorization: Basic y",
    "X-Kept: 1",
  ));
  assert.deepEqual(seen?.head?.fields, [
    "cookie",
    "a=1",
    "authorization",
    "Basic y",
    "x-kept",
    "1",
    "te",
    "trailers",
  ]);
});

Deno.test("cookies are one field", () => {
  const { seen } = read(get("Cookie: a=1", "X-A: 1", "Cookie: b=2"));
  assert.deepEqual(seen?.head?.fields, ["cookie", "a=1; b=2", "x-a", "1"]);
});

Deno.test("a WebSocket handshake has the form of RFC 8441", () => {
  const { seen } = read(get(
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Key: k",
    "Sec-WebSocket-Version: 13",
  ));
  assert.equal(seen?.head?.method, "CONNECT");
  assert.equal(seen?.head?.protocol, "websocket");
  assert.equal(seen?.head?.path, "/");
  assert.deepEqual(seen?.head?.fields, ["sec-websocket-key", "k", "sec-websocket-version", "13"]);
  assert.equal(seen?.ended, false);
});

Deno.test("a CONNECT is handed on as what it is, and the connection is not used after it", () => {
  const { server, seen } = read(lines("CONNECT a.test:443 HTTP/1.1", "Host: a.test") + get());
  assert.deepEqual([seen?.head?.method, seen?.head?.authority, seen?.head?.path], [
    "CONNECT",
    "a.test:443",
    "",
  ]);
  seen?.stream.respond({ status: 501, fields: [] }, true);
  assert.match(server.flush(), /connection: close/);
  assert.equal(server.requests.length, 1);
});

Deno.test("a head of the limit is taken, one octet more is answered 431", () => {
  const rest = "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: \r\n\r\n".length;
  for (const [more, refused] of [[0, false], [1, true]] as const) {
    const { seen, refusal } = read(get(`X-A: ${"a".repeat(H1_EDGE_LIMITS.maxHead - rest + more)}`));
    assert.equal(seen === undefined, refused);
    assert.equal(refusal?.status, refused ? 431 : undefined);
  }
});

Deno.test("a request line above the limit is answered 414 before its end has come", () => {
  const server = new TestServer();
  server.receive(`GET /${"a".repeat(H1_EDGE_LIMITS.maxHead)}`);
  assert.equal(server.refusals[0]?.status, 414);
});

Deno.test("fields up to the limit are taken, one more is answered 431", () => {
  const limits = { ...H1_EDGE_LIMITS, maxFields: 3 };
  for (const [count, refused] of [[2, false], [3, true]] as const) {
    const server = new TestServer(limits);
    server.receive(get(...Array.from({ length: count }, (_, i) => `X-${i}: 1`)));
    assert.equal(server.refusals[0]?.status, refused ? 431 : undefined);
  }
});

Deno.test("every proper prefix of a head is unfinished, and every split reads the same", () => {
  const whole = octets(`\r\n${get("X-A: 1", "Accept: */*", "Content-Length: 0")}`);
  for (let cut = 0; cut <= whole.length; cut++) {
    const server = new TestServer();
    server.receive(whole.slice(0, cut));
    assert.equal(server.requests.length, cut === whole.length ? 1 : 0);
    assert.deepEqual(server.refusals, []);
    server.receive(whole.slice(cut));
    assert.deepEqual(server.requests[0]?.head?.fields, [
      "x-a",
      "1",
      "accept",
      "*/*",
      "content-length",
      "0",
    ]);
  }
});

Deno.test("each octet of a name and a value is taken or refused as RFC 9110 says", () => {
  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;
  for (let octet = 0; octet < 256; octet++) {
    const character = String.fromCharCode(octet);
    const name = read(get(`x${character}y: 1`));
    assert.equal(
      name.seen !== undefined,
      token.test(character) || character === ":",
      `name ${octet}`,
    );
    const value = read(get(`x: a${character}b`));
    const allowed = octet === 9 || (octet >= 0x20 && octet !== 0x7f);
    assert.equal(value.seen !== undefined, allowed, `value ${octet}`);
  }
});

/** Everything that is said to a client that never made a request, in words of the owner's. */
function saidTo(...pieces: (string | number)[]): string {
  const server = new TestServer();
  server.pageFor = (status) =>
    status === 431
      ? undefined
      : { contentType: "text/html", body: octets(`${status}`.repeat(5000)) };
  for (const piece of pieces) {
    if (typeof piece === "string") server.receive(piece);
    else server.session.tick(piece);
  }
  assert.equal(server.requests.length, 0);
  return server.flush();
}

/** The whole answer in the owner's words. */
function answer(status: string, { content = true } = {}): string {
  const body = status.slice(0, 3).repeat(5000);
  return `HTTP/1.1 ${status}\r\ncontent-type: text/html\r\ncontent-length: ${body.length}\r\n` +
    `cache-control: no-store\r\nconnection: close\r\n\r\n${content ? body : ""}`;
}

Deno.test("what is refused before it is a request is said in the owner's words, to the octet", () => {
  assert.equal(saidTo("GET / HTTP/1.1\r\n\r\n"), answer("400 Bad Request"));
  assert.equal(saidTo("rubbish\r\n"), answer("400 Bad Request"));
  assert.equal(saidTo("GET / HTTP/2.0\r\n"), answer("505 HTTP Version Not Supported"));
  assert.equal(saidTo(get("Transfer-Encoding: x")), answer("501 Not Implemented"));
  const late = H1_EDGE_LIMITS.headerTimeoutMs + 1;
  assert.equal(saidTo("GET / HT", late), answer("408 Request Timeout"));
  assert.equal(saidTo("GET / HTTP/1.1\r\nHost: a.test\r\nX-", late), answer("408 Request Timeout"));
});

Deno.test("where the owner has no words, the status and its name are said", () => {
  const many = Array.from({ length: H1_EDGE_LIMITS.maxFields + 1 }, (_, i) => `x-${i}: 1`);
  const body = "431 Request Header Fields Too Large\n";
  assert.equal(
    saidTo(get(...many)),
    `HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${body.length}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
});

Deno.test("the refusal of a HEAD has no content, wherever it is refused, and tells of its length", () => {
  const bare = answer("400 Bad Request", { content: false });
  assert.equal(saidTo("HEAD / HTTP/1.1\r\n\r\n"), bare);
  assert.equal(saidTo("HEAD / HTTP/1.1\r\nHost : a\r\n"), bare);
  const late = H1_EDGE_LIMITS.headerTimeoutMs + 1;
  const timeout = answer("408 Request Timeout", { content: false });
  assert.equal(saidTo("HEAD / HTTP/1.1\r\nHost: a", late), timeout);
});
