/**
 * What becomes of a connection to a backend when messages end early, late or never.
 *
 * @module
 */
import assert from "node:assert/strict";
import { H1_BACKEND_LIMITS } from "../../../lib/h1/mod.ts";
import type { RequestInit } from "../../../lib/http/mod.ts";
import { octets, TestClient } from "../../support/h1_pair.ts";

function asked(init: Partial<RequestInit> = {}, end = true) {
  const client = new TestClient();
  const seen = client.ask(init, end);
  return { client, seen, out: client.flush() };
}

const answer = (status: string, ...fields: string[]) =>
  [`HTTP/1.1 ${status}`, ...fields, "", ""].join("\r\n");
const OK = answer("200 OK", "Content-Length: 2") + "ok";
const WS: Partial<RequestInit> = { method: "CONNECT", protocol: "WebSocket", path: "/ws" };
const SWITCH = answer("101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket");

Deno.test("an idle connection that the backend closes is over without complaint", () => {
  const fresh = new TestClient();
  assert.equal(fresh.session.closed, false);
  fresh.session.receiveEnd(1);
  const used = asked().client;
  used.receive(OK);
  used.session.receiveEnd(2);
  for (const client of [fresh, used]) {
    assert.deepEqual(client.closed, {
      by: "peer",
      reason: "the backend closed the connection",
      abrupt: false,
    });
    assert.deepEqual([client.session.closed, client.session.idle], [true, false]);
  }
});

Deno.test("the end of a connection says whether the backend was in the middle of its answer", () => {
  for (
    const [part, reason] of [
      ["", "the backend closed the connection"],
      ["H", "the backend left in the middle of its answer"],
    ]
  ) {
    const { client, seen } = asked();
    client.receive(part ?? "");
    client.session.receiveEnd(1);
    assert.deepEqual([seen.reset?.reason, client.closed?.reason], [reason, reason]);
    assert.equal(seen.stream.closed, true);
  }
});

Deno.test("who ends a connection tells the open request whether it was touched", () => {
  for (const part of ["", "H"]) {
    for (const end of ["close", "abort"] as const) {
      const { client, seen } = asked();
      if (part !== "") client.receive(part);
      client.session[end]("gone");
      assert.deepEqual(seen.reset, { by: "lost", reason: "gone", untouched: part === "" });
      assert.deepEqual([client.session.closed, seen.stream.closed], [true, true]);
      // Nothing is read any more, and nobody is told twice.
      client.receive(OK);
      client.session.receiveEnd(1);
      client.session.abort("again");
      assert.deepEqual([seen.head, seen.reset?.reason], [undefined, "gone"]);
    }
  }
});

Deno.test("an answer that breaks a rule resets the connection, one that ends well does not", () => {
  const broken = asked().client;
  broken.receive("HTTP/2.0 200 OK\r\n\r\n");
  assert.equal(broken.closed?.abrupt, true);
  const unasked = asked().client;
  unasked.receive(OK);
  unasked.receive("x");
  assert.deepEqual(unasked.closed, {
    by: "rules",
    reason: "octets that no request asked for",
    abrupt: true,
  });
  const given = asked({ method: "POST" }, false);
  given.seen.stream.reset();
  assert.deepEqual(given.client.closed, {
    by: "owner",
    reason: "the request was given up",
    abrupt: true,
  });
  assert.equal(given.seen.stream.closed, true);
  const last = asked().client;
  last.receive(`${answer("200 OK", "Connection: close", "Content-Length: 2")}ok`);
  assert.deepEqual(last.closed, { by: "peer", reason: "the last answer was given", abrupt: false });
});

Deno.test("octets behind an early answer spoil the connection, not the answer", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  client.receive(OK);
  client.receive("more");
  assert.deepEqual([seen.ended, seen.body, seen.reset, client.open], [true, "ok", undefined, true]);
  seen.stream.sendData(octets("x"), true);
  assert.deepEqual([client.session.idle, client.closed?.by, client.idles], [false, "peer", 0]);
});

Deno.test("content that ends with the connection ends the request that was still on its way", () => {
  const { client, seen } = asked({ method: "POST" }, false);
  client.receive(`${answer("200 OK")}all`);
  client.session.receiveEnd(1);
  assert.deepEqual([seen.body, seen.ended, seen.reset], ["all", true, undefined]);
  assert.deepEqual([seen.stream.closed, client.closed?.by], [true, "peer"]);
  assert.equal(seen.stream.sendData(octets("x"), true), true, "nobody wants it");
  client.receive("late");
  assert.equal(seen.body, "all");
});

Deno.test("chunks that end with trailers end the answer, and the connection stays", () => {
  const { client, seen } = asked();
  client.receive(answer("200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum"));
  client.receive("2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n");
  assert.deepEqual([seen.body, seen.trailers, seen.ended], ["ok", ["x-sum", "1"], true]);
  assert.deepEqual([seen.stream.closed, client.session.idle, client.idles], [true, true, 1]);
});

Deno.test("trailers of a request go out behind its chunks, and the exchange can end", () => {
  const { client, seen } = asked({ method: "POST", fields: ["trailer", "x-sum"] }, false);
  client.receive(OK);
  assert.equal(client.session.idle, false);
  seen.stream.sendData(octets("hi"));
  seen.stream.sendTrailers(["x-sum", "1", "connection", "x", "host", "evil"]);
  assert.equal(client.flush(), "2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n");
  assert.deepEqual([client.session.idle, client.idles], [true, 1]);
  seen.stream.sendTrailers(["x-sum", "2"]);
  assert.equal(client.flush(), "", "they went out once");
});

Deno.test("trailers of a request with a length end it and are dropped", () => {
  const { client, seen } = asked({ method: "POST", fields: ["content-length", "2"] }, false);
  seen.stream.sendData(octets("hi"));
  seen.stream.sendTrailers(["x-sum", "1"]);
  assert.equal(client.flush(), "hi");
  client.receive(OK);
  assert.equal(client.session.idle, true);
  const short = asked({ method: "POST", fields: ["content-length", "2"] }, false);
  short.seen.stream.sendTrailers(["x-sum", "1"]);
  assert.deepEqual([short.seen.reset?.by, short.client.closed?.by], ["rules", "rules"]);
  assert.equal(short.seen.reset?.reason, "the request is not as long as it declared");
});

Deno.test("content after the end of a request goes nowhere, and asks for no pause", () => {
  const { client, seen } = asked();
  assert.equal(seen.stream.sendData(octets("more")), true);
  assert.equal(seen.stream.sendData(octets("more"), true), true);
  assert.equal(client.flush(), "");
});

Deno.test("an upgrade waits through informational answers for its 101", () => {
  const { client, seen } = asked(WS, false);
  client.receive(answer("100 Continue", "Connection: Upgrade", "Upgrade: websocket"));
  assert.equal(seen.stream.sendData(octets("early")), false);
  assert.equal(client.flush(), "", "no tunnel yet");
  client.receive(SWITCH);
  assert.deepEqual(seen.head, { status: 101, fields: [], contentLength: -1 });
  assert.equal(client.flush(), "early");
});

Deno.test("what was sent early goes out in its order, and its end with it", () => {
  const { client, seen } = asked(WS, false);
  assert.equal(seen.stream.sendData(octets("a")), false);
  assert.equal(seen.stream.sendData(octets("b")), false);
  assert.equal(seen.stream.sendData(new Uint8Array(0)), true);
  seen.stream.sendTrailers([]);
  const { outputs } = client;
  client.receive(SWITCH);
  assert.ok(client.outputs > outputs, "the owner is told");
  assert.equal(client.flush(), "ab");
  assert.equal(seen.drains, 1);
  client.receive("answer");
  assert.deepEqual([seen.body, seen.ended, client.open], ["answer", false, true]);
  client.session.receiveEnd(1);
  assert.deepEqual([seen.ended, seen.stream.closed, client.closed?.by], [true, true, "peer"]);
});

Deno.test("a tunnel whose owner gives up at once carries nothing", () => {
  const { client, seen } = asked(WS, false);
  seen.stream.sendData(octets("early"));
  client.response = ({ stream }) => stream.reset();
  client.receive(SWITCH);
  assert.deepEqual([client.flush(), client.closed?.by], ["", "owner"]);
});

Deno.test("an upgrade to two protocols is no answer to one", () => {
  const { client, seen } = asked(WS, false);
  client.receive(
    answer("101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket, h2c"),
  );
  assert.deepEqual([seen.head, seen.reset?.reason], [undefined, "a 101 to another protocol"]);
});

Deno.test("a 101 without an upgrade, and framing that contradicts itself, say what they are", () => {
  const reason = (head: string) => {
    const { client, seen } = asked();
    client.receive(head);
    return seen.reset?.reason;
  };
  assert.equal(reason(SWITCH), "a 101 that nobody asked for");
  assert.equal(
    reason(answer("200 OK", "Content-Length: 0", "Transfer-Encoding: chunked")),
    "Content-Length with Transfer-Encoding",
  );
});

Deno.test("HTTP/1.0 that says close and keep-alive is closed", () => {
  const { client } = asked();
  client.receive("HTTP/1.0 204 x\r\nConnection: keep-alive, close\r\n\r\n");
  assert.equal(client.session.idle, false);
});

Deno.test("a 205 with a length is complete, and its connection is not used again", () => {
  const { client, seen } = asked();
  client.receive(answer("205 Reset Content", "Content-Length: 2"));
  assert.deepEqual([seen.ended, seen.stream.closed, client.open], [true, true, false]);
});

Deno.test("a request that goes on has its content in chunks unless its owner declares a length", () => {
  const client = new TestClient();
  const init = { method: "PUT", scheme: "http", authority: "", path: "/" };
  const stream = client.session.request({ ...init, fields: ["te", "trailers", "host", "x"] });
  assert.equal(
    client.flush(),
    "PUT / HTTP/1.1\r\nhost: \r\ntransfer-encoding: chunked\r\n\r\n",
  );
  stream.sendData(octets("x"), true);
  assert.equal(client.flush(), "1\r\nx\r\n0\r\n\r\n");
  assert.equal(client.session.pendingOutput, 0);
});

Deno.test("a declared length of nothing is sent as it is, ended at once or later", () => {
  for (const end of [true, false]) {
    const { client, seen, out } = asked({
      method: "PUT",
      fields: ["content-length", "0", "trailer", "x"],
    }, end);
    assert.equal(out, "PUT / HTTP/1.1\r\nhost: b.example\r\ncontent-length: 0\r\n\r\n");
    if (!end) seen.stream.sendData(new Uint8Array(0), true);
    client.receive(OK);
    assert.deepEqual([client.flush(), client.session.idle], ["", true]);
  }
});

Deno.test("a tunnel is asked for without what only content or another hop needs", () => {
  const fields = ["trailer", "x", "te", "trailers", "host", "x", "content-length", "2", "x-a", "1"];
  assert.equal(
    asked({ ...WS, fields }, false).out,
    "GET /ws HTTP/1.1\r\nhost: b.example\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n" +
      "x-a: 1\r\n\r\n",
  );
});

Deno.test("a pause that was asked for ends once, and not after the request was given up", () => {
  const half = new Uint8Array(H1_BACKEND_LIMITS.sendBuffer / 2);
  const { client, seen } = asked({ method: "POST" }, false);
  seen.stream.sendData(half);
  assert.ok(client.session.pendingOutput > half.length);
  assert.equal(seen.stream.sendData(half), false);
  client.flush();
  client.flush();
  assert.equal(seen.drains, 1);
  assert.equal(seen.stream.sendData(half), true, "nothing waits any more");
  assert.equal(seen.stream.sendData(half), false);
  seen.stream.reset();
  client.flush();
  assert.equal(seen.drains, 1);
});

Deno.test("a full window is forgotten with its answer, and with its connection", () => {
  const { window } = H1_BACKEND_LIMITS;
  const { client } = asked();
  client.autoConsume = false;
  client.receive(answer("200 OK", `Content-Length: ${window}`));
  client.receive(new Uint8Array(window));
  assert.deepEqual([client.session.idle, client.session.congested], [true, false]);
  const lost = asked();
  lost.client.autoConsume = false;
  lost.client.receive(answer("200 OK", `Content-Length: ${2 * window}`));
  lost.client.receive(new Uint8Array(window));
  assert.equal(lost.client.session.congested, true);
  lost.client.session.abort("lost");
  assert.equal(lost.client.session.congested, false);
});

Deno.test("consuming what does not fill the window tells nobody", () => {
  const { client, seen } = asked();
  client.autoConsume = false;
  client.receive(answer("200 OK", "Content-Length: 100"));
  client.receive("x".repeat(50));
  const { outputs } = client;
  seen.stream.consume(50);
  assert.deepEqual([client.outputs, client.session.congested], [outputs, false]);
});

Deno.test("trailers that route are dropped even if they were announced", () => {
  const { client, seen } = asked();
  client.receive(answer("200 OK", "Transfer-Encoding: chunked", "Trailer: Host, Cookie, X-A"));
  client.receive("0\r\nHost: b\r\nCookie: c\r\nX-A: 1\r\n\r\n");
  assert.deepEqual(seen.trailers, ["x-a", "1"]);
});

Deno.test("an owner that asks again inside onIdle gets its answer too", () => {
  const { client } = asked();
  client.idle = () => {
    if (client.answers.length < 3) client.ask();
  };
  for (let i = 0; i < 3; i++) {
    client.receive(OK);
    client.flush();
  }
  assert.deepEqual(client.answers.map(({ body, ended }) => [body, ended]), [
    ["ok", true],
    ["ok", true],
    ["ok", true],
  ]);
});
