import assert from "node:assert/strict";
import { connectRawTls, HOST, startL7, startSeeingBackend } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const HTTP1: readonly (readonly [request: string, reason: RegExp])[] = [
  ["Content-Length: 5\r\nTransfer-Encoding: chunked", /Content-Length with Transfer-Encoding/],
  ["Host: b.test", /two Host fields/],
  ["Transfer-Encoding : chunked", /a line that is no field/],
];

for (const [fields, reason] of HTTP1) {
  Deno.test(`an HTTP/1.1 request that is refused for ${reason.source} is in the log`, async () => {
    await using backend = await startSeeingBackend();
    await using proxy = await startL7({ backend: backend.address });
    await using peer = await connectRawTls({ port: proxy.port });
    await peer.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\n${fields}\r\n\r\n`);
    await peer.ending;
    const { client, route, reason: logged } = await proxy.event();
    assert.deepEqual([client.split(":")[0], route], ["127.0.0.1", HOST]);
    assert.match(logged ?? "", reason);
    assert.deepEqual(backend.seen, []);
  });
}

Deno.test("HTTP/2 requests that are refused are in the log: how many, and why the first", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  const pseudo = [":method", "POST", ":scheme", "https", ":authority", HOST, ":path", "/"];
  {
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(client.headers(1, [...pseudo, "transfer-encoding", "chunked"], true));
    await client.answer(1);
    await client.write(client.headers(3, [...pseudo, "x-a", "1\r\nx-b: 2"], true));
    await client.answer(3);
  }
  const { reason } = await proxy.event();
  assert.match(reason ?? "", /^refused 2 requests: .*(connection-specific|transfer-encoding)/i);
  assert.deepEqual(backend.seen, []);
});
