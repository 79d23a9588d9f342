import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { HOST, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function hint(octets: number): string {
  return `HTTP/1.1 103 Early Hints\r\nLink: </${"x".repeat(octets)}>\r\n\r\n`;
}

/** A backend over HTTP/1.1 that answers each request with so many hints, and then well. */
function startHttp1(hints: string): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      socket.on("data", () => void socket.write(hints + OK));
      socket.on("end", () => socket.end());
    },
  });
}

/** The same over HTTP/2. */
function startHttp2(count: number): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }: { readonly socket: Socket }) => {
      attachSession(socket, "server", {
        onRequest: (stream) => {
          for (let i = 0; i < count; i++) stream.respond({ status: 103, fields: ["link", "</a>"] });
          stream.respond({ status: 200, fields: [] }, true);
        },
      });
      socket.on("end", () => socket.end());
    },
  });
}

const BACKENDS = {
  "http1": (count: number) => startHttp1(hint(10).repeat(count)),
  "h2": startHttp2,
} as const;

async function startFor(
  backendProtocol: keyof typeof BACKENDS,
  count: number,
): Promise<AsyncDisposable & { readonly proxy: TestPlane }> {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await BACKENDS[backendProtocol](count));
  const route = { backendProtocol };
  const proxy = stack.use(await startL7({ backend: backend.address, route }));
  const kept = stack.move();
  return { proxy, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function request(): string[] {
  return [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];
}

const CASES = [[8, 8, "200"], [9, 8, "200"], [64, 8, "200"], [65, 8, "502"]] as const;

for (const backendProtocol of Object.keys(BACKENDS) as (keyof typeof BACKENDS)[]) {
  for (const [sent, passed, last] of CASES) {
    const expected = [...new Array(passed).fill("103"), last];

    Deno.test(`of ${sent} hints of a backend over ${backendProtocol} ${passed} pass over HTTP/2, then ${last}`, async () => {
      await using setup = await startFor(backendProtocol, sent);
      await using client = await RawHttp2Client.connect(setup.proxy.port);
      await client.write(client.headers(1, request(), true));
      await eventually(() => client.statuses(1).length > passed, "an answer");
      assert.deepEqual(client.statuses(1), expected);
    });

    Deno.test(`of ${sent} hints of a backend over ${backendProtocol} ${passed} pass over HTTP/1.1, then ${last}`, async () => {
      await using setup = await startFor(backendProtocol, sent);
      using wire = await Wire.connect(setup.proxy);
      await wire.send(requestText("GET", "/"));
      const statuses = [];
      for (let i = 0; i <= passed; i++) statuses.push(String((await wire.answer()).status));
      assert.deepEqual(statuses, expected);
    });
  }
}

Deno.test("a client over HTTP/2 that does not read is not sent hints beyond what waits, and keeps its answers", async () => {
  await using backend = await startHttp1(hint(15_000).repeat(8));
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await RawHttp2Client.connect(proxy.port);
  client.peer.socket.pause();
  const streams = Array.from({ length: 100 }, (_, i) => 2 * i + 1);
  for (const id of streams) await client.write(client.headers(id, request(), true));
  await eventually(() => proxy.requests.length === streams.length, "every request is answered");
  client.peer.socket.resume();
  await eventually(async () => {
    // Each look reads all that came.
    await new Promise((resolve) => setTimeout(resolve, 300));
    return client.isGoingAway || client.answered === streams.length;
  }, "all answers");
  const statuses = streams.map((id) => client.statuses(id));
  assert.deepEqual(statuses.map((it) => it.at(-1)), streams.map(() => "200"));
  const hints = statuses.reduce((sum, it) => sum + it.length - 1, 0);
  assert.ok(hints < 8 * streams.length, `${hints} hints`);
  assert.deepEqual(proxy.requests.map(({ status }) => status), streams.map(() => 200));
});
