import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { requestText, Wire } from "../support/h1_wire.ts";
import { HOST } from "../support/l7.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** Octets that end lines, move cursors or close quotes, as far as a request may carry them. */
const HOSTILE = '"x\u0085\u009b2J\u00a0forged=1" level=error \u00ff';
const PATH = '/%0d%0aforged%20line?"%1b[2J"=forged%0a';

function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

for (const format of ["text", "json"] as const) {
  Deno.test(`what requests carry forges no line of the log as ${format}, over either version`, async () => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => {
        socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        socket.on("end", () => socket.end());
      },
    });
    await using proxy = await startL7Proxy({
      backend: backend.address,
      route: () => ({ backend_protocol: "http1" }),
      more: () => ({ log: { level: "info", format } }),
    });
    const { lines } = proxy.process;
    const listening = lines.find((line) => line.includes("listening")) ?? "";
    const port = Number(/\bport"?[=:](\d+)/.exec(listening)?.[1]);
    const before = lines.length;
    using wire = await Wire.connect({ port });
    const fields = [`User-Agent: ${HOSTILE}`, `X-Request-Id: ${HOSTILE}`, `Referer: ${HOSTILE}`];
    await wire.send(octets(requestText("GET", PATH, { fields })));
    assert.equal((await wire.answer()).status, 200);
    await using client = await RawHttp2Client.connect(port);
    const request = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", PATH];
    const more = ["user-agent", HOSTILE, "x-request-id", HOSTILE, "referer", HOSTILE];
    await client.write(client.headers(1, [...request, ...more], true));
    assert.equal(await client.answer(1), "200");
    const logged = () => lines.slice(before);
    await eventually(() => logged().length >= 2, "both requests are logged");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(logged().length, 2, "one line each");
    for (const line of logged()) {
      // deno-lint-ignore no-control-regex -- they are what is looked for
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
      assert.ok(line.includes("/%0d%0aforged%20line"), "the path is there as it came");
      assert.doesNotMatch(line, /forged=1|level=error|"level":"error"/i);
    }
  });
}
