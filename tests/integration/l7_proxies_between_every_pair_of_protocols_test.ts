import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { H2TransportName } from "../../lib/l7/mod.ts";
import {
  BACKEND_KINDS,
  type BackendKind,
  CLIENTS,
  type Handler,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";

/** Larger than every window between the client and the backend. */
const LARGE = 3 * 1024 * 1024;

/** Tells what it got, and sends it back. */
const echo: Handler = (request, response) => {
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  request.on("end", () => {
    response.setHeader("x-method", request.method ?? "");
    response.setHeader("x-path", request.url ?? "");
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    if (request.method === "HEAD") return void response.end();
    response.end(Buffer.concat(chunks));
  });
};

const transports: H2TransportName[] = ["own", "node"];
const cases = BACKEND_KINDS.flatMap((kind) =>
  (Object.keys(CLIENTS) as (keyof typeof CLIENTS)[]).flatMap((front) =>
    transports
      .filter((transport) => transport === "own" || kind.startsWith("h2"))
      .map((transport) => ({ kind, front, transport }))
  )
);

for (const { kind, front, transport } of cases) {
  Deno.test(`a request over ${front} reaches a backend of ${kind} through "${transport}"`, async () => {
    await using backend = await startHttpBackend(kind, echo);
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendTls: isTls(kind) },
      settings: { l7: { h2Transport: transport, accessLog: true } },
    });
    await using client = await CLIENTS[front](proxy);

    const get = await client.ask({ path: "/a/b?c=d" });
    assert.equal(get.status, 200);
    assert.equal(get.headers["x-method"], "GET");
    assert.equal(get.headers["x-path"], "/a/b?c=d");
    assert.deepEqual(get.headers["set-cookie"], ["a=1", "b=2"]);

    const head = await client.ask({ method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);

    const small = await client.ask({ method: "PUT", body: "some content" });
    assert.deepEqual([small.status, small.body], [200, "some content"]);

    const content = randomBytes(LARGE);
    const large = await client.ask({ method: "POST", body: content });
    assert.equal(large.status, 200);
    assert.ok(content.equals(large.bytes), "the content came back unchanged");

    const event = await proxy.request(0);
    assert.equal(event.protocol, front);
    assert.equal(event.backendProtocol, kind.startsWith("h2") ? "h2" : "http/1.1");
    assert.equal(event.path, "/a/b");
    assert.equal(backend.connections <= 3, true, "connections to the backend are kept");
  });
}

function isTls(kind: BackendKind): boolean {
  return kind.endsWith("-tls");
}
