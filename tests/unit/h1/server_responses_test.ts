/** How responses are framed, and what of them ends a connection. */
import assert from "node:assert/strict";
import { octets } from "../../support/h1_pair.ts";
import { asked, request } from "../../support/h1_requests.ts";

const post = (...fields: string[]) =>
  ["POST /p HTTP/1.1", "Host: a.test", ...fields, "", ""].join("\r\n");

const FRAMINGS: Readonly<
  Record<string, {
    readonly ask?: string;
    readonly status?: number;
    readonly fields?: readonly string[];
    readonly body?: string;
    readonly out: string;
    readonly open: boolean;
  }>
> = {
  "content of a declared length": {
    fields: ["content-length", "2"],
    body: "ok",
    out: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    open: true,
  },
  "content of no declared length": {
    body: "ok",
    out: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    open: true,
  },
  "no content": { out: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", open: true },
  "no content for HEAD": {
    ask: "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    fields: ["content-length", "5"],
    body: "hello",
    out: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    open: true,
  },
  "content for a head in lower case, which is another method": {
    ask: "head / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    fields: ["content-length", "2"],
    body: "ok",
    out: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    open: true,
  },
  "no content with 204": {
    status: 204,
    fields: ["content-length", "5", "x-a", "1"],
    body: "hello",
    out: "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
    open: true,
  },
  "no content with 205": {
    status: 205,
    fields: ["content-length", "5"],
    body: "hello",
    out: "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
    open: true,
  },
  "no content with 304, but its length": {
    status: 304,
    fields: ["content-length", "5"],
    body: "hello",
    out: "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    open: true,
  },
  "a status without a phrase": {
    status: 299,
    out: "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n",
    open: true,
  },
  "the backend's Date, and none of ours": {
    fields: ["date", "x", "content-length", "0"],
    out: "HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 0\r\n\r\n",
    open: true,
  },
  "no field that is this hop's to say": {
    fields: [
      "connection",
      "x",
      "keep-alive",
      "x",
      "transfer-encoding",
      "x",
      "upgrade",
      "x",
      "content-length",
      "0",
    ],
    out: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    open: true,
  },
  "content to HTTP/1.0, ended by the connection": {
    ask: "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n",
    body: "ok",
    out: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
    open: false,
  },
  "content of a length to HTTP/1.0 that stays": {
    ask: "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: Keep-Alive\r\n\r\n",
    fields: ["content-length", "2"],
    body: "ok",
    out: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok",
    open: true,
  },
  "content to plain HTTP/1.0": {
    ask: "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n",
    fields: ["content-length", "2"],
    body: "ok",
    out: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
    open: false,
  },
};

for (
  const [name, { ask, status = 200, fields = [], body, out, open }] of Object.entries(FRAMINGS)
) {
  Deno.test(`a response carries ${name}`, () => {
    const { server, stream } = asked(ask ?? request("/"));
    stream.respond({ status, fields }, body === undefined);
    if (body !== undefined) stream.sendData(octets(body), true);
    assert.equal(server.flush(), out);
    assert.equal(server.closed === undefined, open);
    assert.equal(stream.closed, true);
  });
}

Deno.test("large content is not copied, small content goes out with its head", () => {
  const { server, stream } = asked(request("/"));
  const large = new Uint8Array(5000);
  stream.respond({ status: 200, fields: ["content-length", "5002"] });
  stream.sendData(octets("ok"));
  stream.sendData(large, true);
  const out = server.session.takeOutput();
  assert.equal(out.length, 2);
  assert.equal(out[1], large);
});

Deno.test("trailers go out behind chunks and nowhere else", () => {
  const trailers = ["x-sum", "1", "content-length", "5"];
  const chunked = asked(request("/"));
  chunked.stream.respond({ status: 200, fields: ["trailer", "x-sum"] });
  chunked.stream.sendTrailers(trailers);
  assert.equal(
    chunked.server.flush(),
    "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n",
  );
  const length = asked(request("/"));
  length.stream.respond({ status: 200, fields: ["content-length", "2", "trailer", "x-sum"] });
  length.stream.sendData(octets("ok"));
  length.stream.sendTrailers(trailers);
  assert.equal(length.server.flush(), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  assert.equal(length.stream.closed, true);
});

Deno.test("content that is not as long as it was declared ends the connection", () => {
  for (const [body, end] of [["toolong", false], ["short", true]] as const) {
    const { server, stream, seen } = asked(request("/"));
    stream.respond({ status: 200, fields: ["content-length", "6"] });
    stream.sendData(octets(body), end);
    assert.equal(server.closed?.by, "rules");
    assert.equal(seen.reset?.by, "rules");
    assert.equal(server.flush().includes(body), false);
  }
  const { server, stream } = asked(request("/"));
  stream.respond({ status: 200, fields: ["content-length", "6"] }, true);
  assert.equal(server.closed?.by, "rules");
});

Deno.test("a cut answer that only the connection's end would end is cut abruptly", () => {
  const cut = (ask: string, fields: string[]) => {
    const { server, stream } = asked(ask);
    stream.respond({ status: 200, fields });
    stream.sendData(octets("o"));
    stream.reset();
    return server.closed;
  };
  assert.equal(cut("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", [])?.abrupt, true);
  assert.equal(cut(request("/"), [])?.abrupt, false);
  assert.equal(cut(request("/"), ["content-length", "2"])?.abrupt, false);
});

Deno.test("informational responses go to HTTP/1.1 only, and not to a client that does not read", () => {
  const early = { status: 103, fields: ["link", "</a>", "content-length", "3"] };
  const modern = asked(request("/"));
  modern.stream.respond(early);
  modern.stream.respond({ status: 100, fields: [] });
  modern.stream.respond({ status: 101, fields: [] });
  assert.equal(
    modern.server.flush(),
    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
  );
  assert.equal(modern.stream.closed, false);
  const old = asked("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
  old.stream.respond(early);
  assert.equal(old.server.flush(), "");
  const slow = asked(request("/"));
  while (!slow.stream.congested) slow.stream.respond({ ...early, fields: ["x", "y".repeat(1000)] });
  const { pendingOutput } = slow.server.session;
  slow.stream.respond(early);
  assert.equal(slow.server.session.pendingOutput, pendingOutput);
});

Deno.test("an early answer ends the connection, and says so when it ends at once", () => {
  const { server, stream } = asked(post("Content-Length: 100"));
  stream.respond({ status: 413, fields: ["content-length", "2"] });
  stream.sendData(octets("no"), true);
  assert.equal(server.open, true, "the owner says whether it wants the rest");
  stream.reset();
  assert.match(
    server.flush(),
    /^HTTP\/1\.1 413 .*\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno$/,
  );
  assert.deepEqual([server.closed?.by, server.closed?.abrupt], ["owner", false]);
  server.receive("x".repeat(100) + request("/hidden"));
  assert.equal(server.requests.length, 1);
});

Deno.test("a request that ends after its answer leaves the connection usable", () => {
  const { server, stream } = asked(post("Content-Length: 4"));
  stream.respond({ status: 200, fields: ["content-length", "0"] });
  stream.sendData(new Uint8Array(0), true);
  server.receive(`rest${request("/next")}`);
  server.flush();
  assert.equal(server.requests[1]?.head?.path, "/next");
});
