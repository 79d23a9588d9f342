import assert from "node:assert/strict";
import type { TlsPeer } from "../support/clients.ts";
import { connectTls } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { HOST, identity, startHttpBackend, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** Notes how much a client writes inside of TLS. */
function countWritten(peer: TlsPeer): () => number {
  let written = 0;
  const write = peer.socket.write.bind(peer.socket) as (...args: unknown[]) => boolean;
  peer.socket.write = (...args: unknown[]) => {
    written += Buffer.byteLength(args[0] as string | Uint8Array);
    return write(...args);
  };
  return () => written;
}

async function connect(proxy: TestPlane, alpn: string): Promise<TlsPeer> {
  const { ca } = await identity();
  return await connectTls({ port: proxy.port, servername: HOST, ca, ALPNProtocols: [alpn] });
}

/** What the list of connections says while one is open. */
async function live(proxy: TestPlane): Promise<number[]> {
  const { connections: [first] } = await proxy.plane.findConnections({}, 1);
  return [first?.bytesIn ?? 0, first?.bytesOut ?? 0];
}

Deno.test("octets of an l7 connection are those inside of TLS, heads included, while it is open and after", async () => {
  await using backend = await startHttpBackend("http1", (request, response) => {
    request.resume().on("end", () => response.end("the answer"));
  });
  await using proxy = await startL7({ backend: backend.address });
  {
    await using peer = await connect(proxy, "http/1.1");
    const request = `POST /a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 7\r\n\r\n`;
    peer.socket.write(request);
    await eventually(
      async () => (await live(proxy))[0] === request.length,
      "its head counts at once",
    );
    peer.socket.write("content");
    await eventually(() => peer.text.endsWith("the answer"), "it is answered");
    const octets = [request.length + 7, peer.received.length];
    assert.deepEqual(await live(proxy), octets);
    const { bytesIn, bytesOut } = await proxy.request();
    assert.deepEqual([bytesIn, bytesOut], [7, 10], "of a request it is the content");
    peer.socket.end();
    const event = await proxy.event();
    assert.deepEqual([event.bytesIn, event.bytesOut], octets);
  }
  await using peer = await connect(proxy, "h2");
  const written = countWritten(peer);
  const client = await RawHttp2Client.over(peer);
  const fields = [":method", "GET", ":scheme", "https", ":path", "/", ":authority", HOST];
  await client.write(client.headers(1, fields, true));
  await eventually(() => peer.text.includes("the answer"), "it is answered over HTTP/2");
  assert.ok(written() > 24, "a preface and frames");
  await eventually(async () => {
    const [bytesIn, bytesOut] = await live(proxy);
    return bytesIn === written() && bytesOut === peer.received.length;
  }, "frames count");
});
