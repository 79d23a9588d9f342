import assert from "node:assert/strict";
import { H1_BACKEND_LIMITS, H1StateError } from "../../../lib/h1/mod.ts";
import { FieldError, type RequestInit } from "../../../lib/http/mod.ts";
import { octets, TestClient } from "../../support/h1_pair.ts";

/** A client that has asked, and what it asked. */
function asked(init: Partial<RequestInit> = {}, end = true) {
  const client = new TestClient();
  const seen = client.ask(init, end);
  return { client, seen, out: client.flush() };
}

const answer = (status: string, ...fields: string[]) =>
  [`HTTP/1.1 ${status}`, ...fields, "", ""].join("\r\n");
const OK = answer("200 OK", "Content-Length: 2") + "ok";

const REQUESTS: Readonly<Record<string, readonly [Partial<RequestInit>, end: boolean, string]>> = {
  "nothing to send": [{}, true, "GET / HTTP/1.1\r\nhost: b.example\r\n\r\n"],
  "a method in lower case": [
    { method: "get", path: "/x?y" },
    true,
    "get /x?y HTTP/1.1\r\nhost: b.example\r\n\r\n",
  ],
  "a POST of nothing": [
    { method: "POST" },
    true,
    "POST / HTTP/1.1\r\nhost: b.example\r\ncontent-length: 0\r\n\r\n",
  ],
  "a declared length": [
    { method: "POST", fields: ["content-length", "2"] },
    false,
    "POST / HTTP/1.1\r\nhost: b.example\r\ncontent-length: 2\r\n\r\nok",
  ],
  "no declared length": [
    { method: "POST", fields: ["trailer", "x"] },
    false,
    "POST / HTTP/1.1\r\nhost: b.example\r\ntrailer: x\r\ntransfer-encoding: chunked\r\n\r\n" +
    "2\r\nok\r\n0\r\n\r\n",
  ],
  "fields that are not this hop's to pass on": [
    {
      fields: ["te", "trailers", "host", "evil", "connection", "x", "x-a", "1", "upgrade", "h2c"],
    },
    true,
    "GET / HTTP/1.1\r\nhost: b.example\r\nx-a: 1\r\n\r\n",
  ],
};
for (const [name, [init, end, out]] of Object.entries(REQUESTS)) {
  Deno.test(`a request with ${name} is written so`, () => {
    const client = new TestClient();
    const { stream } = client.ask(init, end);
    if (!end) stream.sendData(octets("ok"), true);
    assert.equal(client.flush(), out);
  });
}

Deno.test("a request that cannot be sent leaves the session idle", () => {
  const client = new TestClient();
  const bad: Partial<RequestInit>[] = [
    { method: "G T" },
    { method: "CONNECT" },
    { path: "/a b" },
    { path: "x" },
    { path: "/\r\nx: y" },
    { authority: "a b" },
    { fields: ["x", "a\r\nb"] },
    { fields: ["X", "a"] },
    { fields: ["content-length", "2"] },
    { fields: ["content-length", "+2"] },
    { fields: ["content-length", "0", "content-length", "0"] },
  ];
  for (const init of bad) assert.throws(() => client.ask(init), FieldError);
  assert.equal(client.flush(), "");
  assert.equal(client.session.idle, true);
});

const ANSWERS: Readonly<
  Record<string, readonly [input: string, body: string, reusable: boolean, method?: string]>
> = {
  "a length": [OK, "ok", true],
  "chunks": [
    `${answer("200 OK", "Transfer-Encoding: chunked")}2  \r\nok\r\n0\r\n\r\n`,
    "ok",
    true,
  ],
  "equal lengths": [
    `${answer("200 OK", "Content-Length: 2", "Content-Length: 2, 2")}ok`,
    "ok",
    true,
  ],
  "a later minor version and no phrase": [
    "HTTP/1.3 200\r\nContent-Length: 2\r\n\r\nok",
    "ok",
    true,
  ],
  "Connection: close": [
    `${answer("200 OK", "Content-Length: 2", "Connection: close")}ok`,
    "ok",
    false,
  ],
  "HTTP/1.0": ["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false],
  "HTTP/1.0 that stays": [
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "ok",
    true,
  ],
  "no content by 204": [answer("204 No Content"), "", true],
  "no content by 304": [answer("304 Not Modified", "Content-Length: 5"), "", true],
  "no content by HEAD": [answer("200 OK", "Content-Length: 5"), "", true, "HEAD"],
  "no content by 205": [answer("205 Reset Content", "Content-Length: 0"), "", true],
  "nothing": [answer("200 OK", "Content-Length: 0"), "", true],
};
for (const [name, [input, body, reusable, method = "GET"]] of Object.entries(ANSWERS)) {
  Deno.test(`an answer with ${name} is read to its end, at every split`, () => {
    const whole = octets(input);
    for (let cut = 0; cut <= whole.length; cut++) {
      const { client, seen } = asked({ method });
      client.receive(whole.slice(0, cut));
      if (cut < whole.length) assert.equal(seen.ended, false, `at ${cut}`);
      client.receive(whole.slice(cut));
      assert.deepEqual([seen.ended, seen.body, seen.reset], [true, body, undefined]);
      assert.deepEqual([client.session.idle, client.idles], [reusable, reusable ? 1 : 0]);
      assert.equal(client.open, reusable);
    }
  });
}

Deno.test("content without a length lasts until the backend closes", () => {
  const { client, seen } = asked();
  client.receive(`${answer("200 OK")}one `);
  client.receive("two");
  assert.equal(seen.ended, false);
  client.session.receiveEnd(1);
  assert.deepEqual([seen.body, seen.ended, seen.reset], ["one two", true, undefined]);
  assert.equal(client.closed?.by, "peer");
});

const HOSTILE: Readonly<Record<string, string>> = {
  "status 000": answer("000 x"),
  "status 099": answer("099 x"),
  "status 600": answer("600 x"),
  "status 1000": answer("1000 x"),
  "a status of two digits": answer("20 OK"),
  "a status of letters": answer("2xx OK"),
  "a signed status": answer("+20 OK"),
  "no status": answer(""),
  "HTTP/2": "HTTP/2.0 200 OK\r\n\r\n",
  "HTTP/0.9": "<html>\r\n\r\n",
  "another protocol": "SSH-2.0-OpenSSH_9.2\r\n",
  "an empty line before it": `\r\n${OK}`,
  "a control in the phrase": answer("200 O\x01K"),
  "Content-Length with Transfer-Encoding": answer(
    "200 OK",
    "Content-Length: 2",
    "Transfer-Encoding: chunked",
  ),
  "two Content-Lengths": answer("200 OK", "Content-Length: 2", "Content-Length: 3"),
  "two Content-Lengths in one field": answer("200 OK", "Content-Length: 2, 3"),
  "an odd Content-Length": answer("200 OK", "Content-Length: 2x"),
  "an unknown coding": answer("200 OK", "Transfer-Encoding: gzip, chunked"),
  "Transfer-Encoding in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  "a folded line": answer("200 OK", "X-A: 1", " 2"),
  "a bare line feed": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
  "a NUL": answer("200 OK", "X-A: \0"),
  "a space before the colon": answer("200 OK", "Content-Length : 2"),
  "a head without end": answer("200 OK", `X-A: ${"x".repeat(H1_BACKEND_LIMITS.maxHead)}`),
  "fields without end": `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(H1_BACKEND_LIMITS.maxFields + 1)}`,
  "a 101 that nobody asked for": answer(
    "101 Switching Protocols",
    "Connection: Upgrade",
    "Upgrade: websocket",
  ),
};
for (const [name, input] of Object.entries(HOSTILE)) {
  Deno.test(`an answer with ${name} is none, and ends the connection`, () => {
    const { client, seen } = asked();
    client.receive(input + OK);
    assert.equal(seen.head, undefined);
    assert.deepEqual([seen.reset?.by, seen.reset?.untouched], ["rules", false]);
    assert.deepEqual([client.closed?.by, client.session.idle], ["rules", false]);
  });
}

const CUT: Readonly<Record<string, string>> = {
  "a wrong chunk size": "zz\r\nok\r\n0\r\n\r\n",
  "no line end after a chunk": "2\r\nokok",
  "a length in trailers": "0\r\nContent-Length: 2\r\n\r\n",
};
for (const [name, chunks] of Object.entries(CUT)) {
  Deno.test(`content with ${name} ends the answer before its end`, () => {
    const { client, seen } = asked();
    client.receive(answer("200 OK", "Transfer-Encoding: chunked") + chunks);
    assert.equal(seen.head?.status, 200);
    assert.deepEqual([seen.ended, seen.reset?.by, client.closed?.by], [false, "rules", "rules"]);
  });
}

Deno.test("what follows an answer is delivered to nobody, and the connection is not used again", () => {
  for (const input of [`${OK}x`, OK + OK, `${answer("204 No Content", "Content-Length: 2")}ok`]) {
    const { client, seen } = asked();
    client.idle = () => assert.fail("a connection with octets left over is not idle");
    client.receive(input);
    assert.deepEqual([seen.ended, seen.reset], [true, undefined], "the answer is good");
    assert.deepEqual([client.session.idle, client.closed?.by], [false, "rules"]);
  }
  const { client } = asked();
  client.receive(OK);
  assert.equal(client.session.idle, true);
  client.receive("HTTP/1.1 408 Request Timeout\r\n\r\n");
  assert.equal(client.closed?.by, "rules");
});

Deno.test("an answer that is there before its request has left is nobody's", () => {
  const client = new TestClient();
  const seen = client.ask();
  client.receive(OK);
  assert.deepEqual([seen.head, seen.reset?.by, seen.reset?.untouched], [undefined, "rules", true]);
  assert.equal(client.closed?.by, "rules");
});

Deno.test("informational answers are passed on one by one", () => {
  const { client, seen } = asked();
  client.receive(answer("103 Early Hints", "Link: </a>") + answer("100 Continue") + OK);
  assert.deepEqual(seen.informational.map(({ status, fields }) => [status, fields]), [
    [103, ["link", "</a>"]],
    [100, []],
  ]);
  assert.deepEqual([seen.head?.status, client.session.idle], [200, true]);
});

Deno.test("a backend that leaves tells whether anything of its answer had come", () => {
  const before = asked();
  before.client.session.receiveEnd(1);
  assert.deepEqual([before.seen.reset?.by, before.seen.reset?.untouched], ["peer", true]);
  for (const part of ["H", answer("200 OK", "Content-Length: 2"), answer("100 Continue")]) {
    const { client, seen } = asked();
    client.receive(part);
    client.session.receiveEnd(1);
    assert.deepEqual([seen.reset?.by, seen.reset?.untouched], ["peer", false]);
    assert.equal(client.closed?.by, "peer");
  }
  const lost = asked();
  lost.client.session.abort("reset");
  assert.deepEqual(lost.seen.reset, { by: "lost", reason: "reset", untouched: true });
});

Deno.test("an answer before the end of its request leaves the session busy until that has ended", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  client.receive(OK);
  assert.deepEqual([seen.ended, client.session.idle], [true, false]);
  seen.stream.sendData(octets("x"), true);
  assert.deepEqual([client.session.idle, client.idles], [true, 1]);
});

Deno.test("a request that is given up ends the connection", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  client.receive(OK);
  seen.stream.reset();
  assert.deepEqual([client.closed?.by, client.session.idle, seen.reset], [
    "owner",
    false,
    undefined,
  ]);
});

Deno.test("a backend that leaves after an early answer ends the exchange without complaint", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  client.receive(OK);
  client.session.receiveEnd(1);
  assert.deepEqual([seen.reset, seen.stream.closed, client.closed?.by], [undefined, true, "peer"]);
});

Deno.test("a request that is not as long as it declared ends the connection", () => {
  for (const [body, end] of [["toolong", false], ["s", true]] as const) {
    const { client, seen } = asked({ method: "POST", fields: ["content-length", "2"] }, false);
    seen.stream.sendData(octets(body), end);
    assert.deepEqual([seen.reset?.by, client.closed?.by, client.flush()], ["rules", "rules", ""]);
  }
});

Deno.test("content in a 205 is not read, and the connection not used again", () => {
  const { client, seen } = asked();
  client.receive(`${answer("205 Reset Content", "Content-Length: 2")}ok`);
  assert.deepEqual([seen.body, seen.ended, client.session.idle], ["", true, false]);
});

const WS: Partial<RequestInit> = {
  method: "CONNECT",
  protocol: "websocket",
  path: "/ws",
  fields: ["sec-websocket-key", "k", "content-length", "5"],
};
const SWITCH = answer("101 Switching Protocols", "Connection: Upgrade", "Upgrade: WebSocket");

Deno.test("a tunnel is asked for with a GET, and open after the 101", () => {
  const { client, seen, out } = asked(WS, false);
  assert.equal(
    out,
    "GET /ws HTTP/1.1\r\nhost: b.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
      "sec-websocket-key: k\r\n\r\n",
  );
  assert.equal(seen.stream.sendData(octets("early")), false);
  assert.equal(client.flush(), "");
  client.receive(`${SWITCH}first`);
  assert.deepEqual([seen.head?.status, seen.body], [101, "first"]);
  assert.equal(client.flush(), "early");
  assert.equal(seen.drains, 1);
  assert.equal(seen.stream.sendData(octets("more")), true);
  assert.equal(client.flush(), "more");
  client.session.receiveEnd(1);
  assert.deepEqual([seen.ended, seen.stream.closed], [true, false], "the other direction goes on");
  assert.equal(seen.stream.sendData(octets("bye"), true), true);
  assert.equal(client.flush(), "bye");
  assert.equal(client.closed?.by, "peer");
});

Deno.test("a refused upgrade yields no tunnel, whatever the status", () => {
  for (const status of ["200 OK", "204 No Content", "403 Forbidden", "426 Upgrade Required"]) {
    const { client, seen } = asked(WS, false);
    seen.stream.sendData(octets("early"));
    client.receive(
      answer(status, "Content-Length: 0", "Connection: Upgrade", "Upgrade: websocket"),
    );
    assert.deepEqual([seen.head?.status, seen.ended], [Number(status.slice(0, 3)), true]);
    assert.equal(client.flush(), "", "nothing of the tunnel goes out");
    assert.deepEqual([client.session.idle, client.open], [false, false]);
  }
});

Deno.test("a 101 to another protocol is no answer", () => {
  for (const fields of [["Upgrade: h2c", "Connection: Upgrade"], ["Upgrade: websocket"], []]) {
    const { client, seen } = asked(WS, false);
    client.receive(answer("101 Switching Protocols", ...fields));
    assert.deepEqual([seen.head, seen.reset?.by, client.closed?.by], [undefined, "rules", "rules"]);
  }
});

Deno.test("reading stops when the window is full, and goes on when half of it was consumed", () => {
  const { window } = H1_BACKEND_LIMITS;
  const client = new TestClient();
  client.autoConsume = false;
  const { stream } = client.ask();
  client.flush();
  client.receive(answer("200 OK", `Content-Length: ${2 * window}`));
  client.receive(new Uint8Array(window - 1));
  assert.equal(client.session.congested, false);
  client.receive(new Uint8Array(1));
  assert.equal(client.session.congested, true);
  stream.consume(window / 2 - 1);
  assert.equal(client.session.congested, true);
  const { outputs } = client;
  stream.consume(1);
  assert.deepEqual([client.session.congested, client.outputs], [false, outputs + 1]);
});

Deno.test("sendData() asks for a pause at the limit, and onDrain() comes when it was taken", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  assert.equal(seen.stream.sendData(new Uint8Array(H1_BACKEND_LIMITS.sendBuffer / 2)), true);
  assert.equal(seen.stream.sendData(new Uint8Array(H1_BACKEND_LIMITS.sendBuffer / 2)), false);
  client.flush();
  assert.equal(seen.drains, 1);
});

Deno.test("one request at a time, and none after shutdown()", () => {
  const { client } = asked();
  assert.throws(() => client.ask(), H1StateError);
  client.session.shutdown();
  assert.equal(client.open, true);
  client.receive(OK);
  assert.equal(client.open, false);
  assert.throws(() => client.ask(), H1StateError);
  const idle = new TestClient();
  idle.session.shutdown();
  assert.equal(idle.closed?.by, "owner");
});

Deno.test("idleSince tells since when nothing is asked", () => {
  const client = new TestClient();
  assert.equal(client.session.idleSince, 0);
  client.ask();
  client.flush();
  assert.equal(client.session.idleSince, -1);
  client.now = 5;
  client.receive(OK);
  assert.equal(client.session.idleSince, 5);
});

Deno.test("close() tells the open request", () => {
  const { client, seen } = asked();
  client.session.close("the route is gone");
  assert.deepEqual([seen.reset?.by, seen.reset?.reason], ["lost", "the route is gone"]);
  assert.equal(client.closed?.by, "owner");
});
