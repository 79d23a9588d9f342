import assert from "node:assert/strict";
import { TestClient, TestServer } from "../../support/h1_pair.ts";

/** What a request with these field lines has, its Host apart. */
function fieldsOf(...lines: string[]) {
  const server = new TestServer();
  server.receive(["GET / HTTP/1.1", "Host: a.test", ...lines, "", ""].join("\r\n"));
  return { server, fields: server.requests[0]?.head?.fields };
}

const KNOWN =
  `accept accept-encoding accept-language age authorization cache-control content-type date etag
expect forwarded grpc-status if-none-match last-modified origin range sec-websocket-version
set-cookie user-agent via www-authenticate x-forwarded-for x-request-id x-xss-protection`
    .split(/\s+/);

Deno.test("names come in lower case, however they are written and whoever knows them", () => {
  for (const name of [...KNOWN, "x-nobody-knows-this", "a"]) {
    const title = name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
    for (const written of [name, name.toUpperCase(), title]) {
      assert.deepEqual(fieldsOf(`${written}: v`).fields, [name, "v"]);
    }
  }
});

Deno.test("a field is special by its whole name, not by one that shares its place in a table", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  for (const special of ["te", "host", "cookie", "trailer", "upgrade", "connection"]) {
    for (const first of letters) {
      for (const second of letters) {
        const name = first + second + special.slice(2);
        if (name === special) continue;
        const { fields } = fieldsOf(`${name}: v`);
        if (name.length > 2 || name !== "te") assert.deepEqual(fields, [name, "v"]);
      }
    }
  }
});

Deno.test("what belongs to one connection is not passed on, whatever its case", () => {
  for (
    const name of [
      "Keep-Alive",
      "PROXY-CONNECTION",
      "http2-settings",
      "Proxy-Authenticate",
      "proxy-authorization",
    ]
  ) {
    assert.deepEqual(fieldsOf(`${name}: v`, "X-A: 1").fields, ["x-a", "1"]);
  }
  assert.deepEqual(fieldsOf("Connection: X-Gone, close", "X-Gone: 1", "X-A: 1").fields, [
    "x-a",
    "1",
  ]);
});

Deno.test("a stranger's Connection takes none of the fields away that others rely on", () => {
  const kept = [
    "content-type",
    "content-encoding",
    "cookie",
    "authorization",
    "cache-control",
    "user-agent",
  ];
  for (const name of kept) {
    assert.deepEqual(fieldsOf(`Connection: ${name}, host`, `${name}: v`).fields, [name, "v"]);
  }
  const { server } = fieldsOf("Connection: content-length, host", "Content-Length: 0");
  assert.deepEqual(server.requests[0]?.head?.fields, ["content-length", "0"]);
  assert.equal(server.requests[0]?.head?.authority, "a.test");
});

Deno.test("crumbs of a cookie become one field where the first of them stood", () => {
  assert.deepEqual(
    fieldsOf("Cookie: a=1", "X-A: 1", "cookie: b=2", "COOKIE: c=3").fields,
    ["cookie", "a=1; b=2; c=3", "x-a", "1"],
  );
  assert.deepEqual(fieldsOf("X-A: 1", "Cookie: a=1", "Cookie: b=2").fields, [
    "x-a",
    "1",
    "cookie",
    "a=1; b=2",
  ]);
});

Deno.test("a request's cookies, lengths and options are forgotten with it", () => {
  const server = new TestServer();
  server.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
  const first = ["POST / HTTP/1.1", "Host: a.test", "Cookie: a=1", "TE: trailers", "X-A: 1"];
  server.receive([...first, "Connection: x-a", "Content-Length: 0", "", ""].join("\r\n"));
  server.flush();
  server.receive("GET / HTTP/1.1\r\nHost: b.test\r\nX-A: 2\r\nCookie: b=2\r\n\r\n");
  const [one, two] = server.requests;
  assert.deepEqual(one?.head?.fields, ["cookie", "a=1", "content-length", "0", "te", "trailers"]);
  assert.deepEqual(two?.head?.fields, ["x-a", "2", "cookie", "b=2"]);
  assert.deepEqual([two?.head?.contentLength, two?.head?.authority], [-1, "b.test"]);
});

Deno.test("te says trailers or nothing, with or without parameters", () => {
  for (const value of ["trailers", "gzip, Trailers", "trailers;q=0.5"]) {
    assert.deepEqual(fieldsOf(`TE: ${value}`).fields, ["te", "trailers"]);
  }
  for (const value of ["gzip", "trailers2", ""]) {
    assert.deepEqual(fieldsOf(`TE: ${value}`).fields, []);
  }
});

Deno.test("a refused field says what is wrong with it", () => {
  const reason = (...lines: string[]) => fieldsOf(...lines).server.refusals[0]?.reason;
  assert.equal(reason("X-A"), "a line that is no field");
  assert.equal(reason("X-A: \x01"), "an octet that no value may hold");
  assert.equal(reason("Host: b"), "two Host fields");
  assert.equal(reason("Content-Length: 0", "Content-Length: 0"), "two Content-Lengths");
  assert.equal(reason("Content-Length: x"), "an invalid Content-Length");
});

Deno.test("a backend may repeat its length as long as it stays the same", () => {
  const lengthOf = (...values: string[]) => {
    const client = new TestClient();
    const seen = client.ask({ method: "HEAD" });
    client.flush();
    const lines = values.map((value) => `Content-Length: ${value}`);
    client.receive(["HTTP/1.1 200 OK", "X-A: 1", ...lines, "", ""].join("\r\n"));
    return seen.head?.fields ?? seen.reset?.reason;
  };
  for (const values of [["5"], ["5, 5"], ["5", "5"], ["5 , 5", "5"]]) {
    assert.deepEqual(lengthOf(...values), ["x-a", "1", "content-length", "5"]);
  }
  assert.deepEqual(lengthOf("0", "0"), ["x-a", "1", "content-length", "0"]);
  assert.equal(lengthOf("0", "1"), "two different Content-Lengths");
  assert.equal(lengthOf("5, 6"), "an invalid Content-Length");
});

Deno.test("a Host in an answer is a field like others", () => {
  const client = new TestClient();
  const seen = client.ask();
  client.flush();
  client.receive("HTTP/1.1 200 OK\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual(seen.head?.fields, ["host", "x", "host", "y", "content-length", "0"]);
});
