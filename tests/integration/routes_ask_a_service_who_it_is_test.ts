/** A service that routes ask whether a request may pass, with real clients and hostile ones. */
import assert from "node:assert/strict";
import { DEFAULT_FIELD_SETTINGS } from "../../lib/l7/mod.ts";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import {
  CLIENTS,
  type Handler,
  HOST,
  type L7TestOptions,
  startHttpBackend,
  startL7,
  startSeeingBackend,
} from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";

/** A proxy before a backend that sees, which asks `handler` first. */
async function startAsking(
  handler: Handler,
  { timeoutMs = 5000, ...more }: { readonly timeoutMs?: number } & Partial<L7TestOptions> = {},
) {
  const backend = await startSeeingBackend();
  const asked: { method: string; url: string; raw: string[] }[] = [];
  const auth = await startHttpBackend("http1", (request, response) => {
    asked.push({ method: request.method ?? "", url: request.url ?? "", raw: request.rawHeaders });
    handler(request, response);
  });
  const proxy = await startL7({
    backend: backend.address,
    route: {
      forwardAuth: {
        url: `http://${auth.address}/verify?for=a`,
        headers: ["remote-user", "remote-groups"],
        timeoutMs,
      },
    },
    ...more,
  });
  return {
    backend,
    auth,
    proxy,
    asked,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await auth[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

const value = (raw: readonly string[], name: string) =>
  raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name);

for (const front of Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]) {
  Deno.test(`forward_auth asks for each request over ${front}, and its word alone reaches the backend`, async () => {
    await using all = await startAsking((_, response) => {
      response.setHeader("Remote-User", "alice");
      response.setHeader("Remote-Other", "not copied");
      response.end("welcome");
    });
    const { proxy, asked, backend, auth } = all;
    await using client = await CLIENTS[front](proxy);
    const answer = await client.ask({
      method: "PUT",
      path: "/a%2fb?q=1",
      body: "content",
      headers: {
        cookie: "session=1",
        "remote-user": "root",
        "Remote-Groups": "admin",
        // To CGI-style backends these are the same two.
        "remote.user": "root",
        "Remote.Groups": "admin",
        "x-forwarded-uri": "/harmless",
        "x-forwarded-method": "GET",
        "if-none-match": "*",
        range: "bytes=0-1",
      },
    });
    assert.deepEqual([answer.status, answer.body], [200, "ok"]);
    const [question] = asked;
    assert.ok(question);
    assert.deepEqual([question.method, question.url], ["GET", "/verify?for=a"]);
    const said = (name: string) => value(question.raw, name);
    assert.deepEqual(said("x-forwarded-method"), ["PUT"]);
    assert.deepEqual(said("x-forwarded-uri"), ["/a%2fb?q=1"]);
    assert.deepEqual(said("x-forwarded-proto"), ["https"]);
    assert.deepEqual(said("x-forwarded-host"), [HOST]);
    assert.deepEqual(said("x-forwarded-for"), ["127.0.0.1"]);
    assert.deepEqual(said("host"), [auth.address]);
    assert.deepEqual(said("cookie"), ["session=1"]);
    for (
      const name of [
        "content-length",
        "transfer-encoding",
        "if-none-match",
        "range",
        "remote-user",
        "remote-groups",
        "remote.user",
        "remote.groups",
      ]
    ) {
      assert.deepEqual(said(name), [], name);
    }
    const [seen] = backend.seen;
    assert.ok(seen);
    for (const name of ["remote.user", "remote.groups"]) {
      assert.deepEqual(value(seen.raw, name), [], name);
    }
    assert.deepEqual([seen.method, seen.path, seen.body], ["PUT", "/a%2fb?q=1", "content"]);
    assert.deepEqual(value(seen.raw, "remote-user"), ["alice"]);
    assert.deepEqual(value(seen.raw, "remote-groups"), [], "what was not answered is not there");
    assert.deepEqual(value(seen.raw, "remote-other"), []);
    for (let i = 0; i < 5; i++) await client.ask();
    assert.equal(auth.connections, 1, "its connection is kept");
  });

  Deno.test(`a refusal of forward_auth is the client's answer over ${front}`, async () => {
    let status = 401;
    let more: Record<string, string> = {};
    await using all = await startAsking((_, response) => {
      response.writeHead(status, {
        "www-authenticate": "Bearer",
        "location": "https://login.test/?rd=1",
        "set-cookie": ["a=1", "b=2"],
        "content-type": "text/html",
        "x-internal": "secret",
        "connection": "keep-alive",
        ...more,
      });
      response.end("<p>who?");
    });
    await using client = await CLIENTS[front](all.proxy);
    for (status of [401, 403, 302, 307]) {
      const got = await client.ask({ method: "POST", body: "x" });
      assert.equal(got.status, status);
      assert.deepEqual(got.headers["location"], "https://login.test/?rd=1");
      assert.deepEqual(got.headers["set-cookie"], ["a=1", "b=2"]);
      assert.deepEqual([got.headers["www-authenticate"], got.headers["x-internal"]], [
        "Bearer",
        undefined,
      ]);
      assert.equal(got.body, "<p>who?");
      assert.equal(got.headers["cache-control"], "no-store");
    }
    more = { "cache-control": "private", "content-encoding": "br" };
    const own = await client.ask();
    assert.equal(own.headers["cache-control"], "private");
    assert.notEqual(own.body, "<p>who?", "what is encoded is not passed on without its encoding");
    assert.equal(all.backend.seen.length, 0);
  });
}

Deno.test("forward_auth hears the method and the path of the request, whatever a trusted client says", async () => {
  const fields = { ...DEFAULT_FIELD_SETTINGS, trustedForwarding: ["127.0.0.0/8"] };
  await using all = await startAsking((_, response) => void response.end(), {
    settings: { l7: { h2Transport: "own", accessLog: true, fields } },
  });
  await using client = await CLIENTS["h2"](all.proxy);
  const headers = {
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-uri": "/harmless",
    "x-forwarded-method": "GET",
  };
  assert.equal((await client.ask({ method: "DELETE", path: "/all", headers })).status, 200);
  const [question] = all.asked;
  assert.ok(question);
  assert.deepEqual(value(question.raw, "x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
  assert.deepEqual(value(question.raw, "x-forwarded-method"), ["DELETE"]);
  assert.deepEqual(value(question.raw, "x-forwarded-uri"), ["/all"]);
});

Deno.test("whatever else forward_auth answers, or does not, is 503, and no backend hears of it", async () => {
  const answers: Readonly<Record<string, Handler>> = {
    "a 500": (_, response) => void response.writeHead(500).end("x"),
    "a 304": (_, response) => void response.writeHead(304).end(),
    "a 404": (_, response) => void response.writeHead(404).end("x"),
    "a cut": (request) => request.socket.destroy(),
    "nothing": () => {},
    "half a head": (request) => void request.socket.write("HTTP/1.1 200 OK\r\nRemote-"),
    "a head without its content": (_, response) => {
      response.writeHead(200, { "content-length": "5" });
      response.write("abc");
    },
    "no HTTP": (request) => void request.socket.end("SSH-2.0-x\r\n"),
    "fields without end": (_, response) => {
      response.writeHead(401, {
        "set-cookie": Array.from({ length: 90 }, (_, i) => `${i}=${"x".repeat(500)}`),
      });
      response.end();
    },
  };
  let answer: Handler = () => {};
  await using all = await startAsking((...pair) => answer(...pair), { timeoutMs: 400 });
  for (const [name, handler] of Object.entries(answers)) {
    answer = handler;
    await using client = await CLIENTS["h2"](all.proxy);
    const { status, body } = await client.ask({ headers: { "remote-user": "root" } });
    assert.deepEqual([status, body], [503, "503 Service Unavailable\n"], name);
  }
  assert.match(all.proxy.requests[0]?.reason ?? "", /^forward_auth: it answered 500/);
  assert.equal(all.backend.seen.length, 0);
  const [port] = [await unusedPort()];
  await using nobody = await startL7({
    backend: all.backend.address,
    route: { forwardAuth: { url: `http://127.0.0.1:${port}`, headers: [], timeoutMs: 1000 } },
  });
  await using client = await CLIENTS["http/1.1"](nobody);
  assert.equal((await client.ask()).status, 503, "nobody listens");
  assert.equal(all.backend.seen.length, 0);
});

Deno.test("a yes with endless content is a yes, a refusal with too much of it goes without", async () => {
  let status = 200;
  await using all = await startAsking((_, response) => {
    response.writeHead(status, { "remote-user": "a", "content-type": "text/plain" });
    response.write("x".repeat(20_000));
  });
  await using client = await CLIENTS["h2"](all.proxy);
  assert.equal((await client.ask()).body, "ok");
  status = 403;
  assert.equal((await client.ask()).body, "403 Forbidden\n");
});

Deno.test("tunnels are asked about, and a client that leaves takes its question along", async () => {
  let isAllowed = false;
  let open = 0;
  await using auth = await startBackend({
    onConnection: ({ socket }) => {
      open++;
      socket.once("close", () => open--);
      socket.on("end", () => socket.end());
      socket.on("data", () => {
        if (isAllowed) socket.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
      });
    },
  });
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    route: { forwardAuth: { url: `http://${auth.address}`, headers: [], timeoutMs: 60_000 } },
  });
  const upgrade = requestText("GET", "/ws", {
    fields: [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
    ],
  });
  {
    using wire = await Wire.connect(proxy);
    await wire.send(upgrade);
    await eventually(() => open === 1, "the question");
  }
  await eventually(() => open === 0, "nobody asks any more");
  isAllowed = true;
  using wire = await Wire.connect(proxy);
  await wire.send(upgrade);
  assert.equal((await wire.answer()).status, 403);
  assert.equal(backend.seen.length, 0);
});
