import assert from "node:assert/strict";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { HOST, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** Methods are tokens, and case counts (RFC 9110 §9.1): `head` is none that is known. */
const METHODS = [
  "head",
  "get",
  "Get",
  "connect",
  "GET",
  "HEAD",
  "post",
  "PATCH",
  "M-SEARCH",
  "x!#$%",
];

/** A backend over HTTP/1.1 that answers with content, but for HEAD, and keeps the first lines. */
function startHttp1(seen: string[]): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      socket.on("data", (bytes: Uint8Array) => {
        const [method = "", path = ""] = new TextDecoder().decode(bytes).split(" ", 2);
        seen.push(`${method} ${path}`);
        const content = method === "HEAD" ? "" : "ok";
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${content}`);
      });
      socket.on("end", () => socket.end());
    },
  });
}

/** The same over HTTP/2. */
function startHttp2(seen: string[]): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      attachSession(socket, "server", {
        onRequest: (stream, { method, path }) => {
          seen.push(`${method} ${path}`);
          const isHead = method === "HEAD";
          stream.respond({ status: 200, fields: ["content-length", "2"] }, isHead);
          if (!isHead) stream.sendData(new TextEncoder().encode("ok"), true);
        },
      });
      socket.on("end", () => socket.end());
    },
  });
}

const BACKENDS = { "http1": startHttp1, "h2": startHttp2 } as const;

for (const backendProtocol of Object.keys(BACKENDS) as (keyof typeof BACKENDS)[]) {
  Deno.test(`methods in any case go from HTTP/2 to ${backendProtocol} as they came, with their content`, async () => {
    const seen: string[] = [];
    await using backend = await BACKENDS[backendProtocol](seen);
    await using proxy = await startL7({ backend: backend.address, route: { backendProtocol } });
    await using client = await RawHttp2Client.connect(proxy.port);
    for (const [i, method] of METHODS.entries()) {
      const id = 2 * i + 1;
      const fields = [":method", method, ":scheme", "https", ":authority", HOST, ":path", `/${i}`];
      await client.write(client.headers(id, fields, true));
      assert.equal(await client.answer(id), "200", method);
      await eventually(() => client.answered === i + 1, `the end of the answer to ${method}`);
      assert.equal(client.content(id), method === "HEAD" ? "" : "ok", method);
    }
    assert.deepEqual(seen, METHODS.map((method, i) => `${method} /${i}`));
  });

  Deno.test(`methods in any case go from HTTP/1.1 to ${backendProtocol} as they came, with their content`, async () => {
    const seen: string[] = [];
    await using backend = await BACKENDS[backendProtocol](seen);
    await using proxy = await startL7({ backend: backend.address, route: { backendProtocol } });
    using wire = await Wire.connect(proxy);
    for (const [i, method] of METHODS.entries()) {
      await wire.send(requestText(method, `/${i}`));
      const { status, body } = await wire.answer({ isHead: method === "HEAD" });
      assert.deepEqual([status, body], [200, method === "HEAD" ? "" : "ok"], method);
    }
    assert.deepEqual(seen, METHODS.map((method, i) => `${method} /${i}`));
  });
}
