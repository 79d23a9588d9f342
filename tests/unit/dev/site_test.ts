import assert from "node:assert/strict";
import { Site } from "../../../dev/site.ts";
import { encodeProxyV2 } from "../../../lib/proxyproto/mod.ts";
import { parseIp } from "../../../lib/addr/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { connectRaw, connectTls } from "../../support/clients.ts";
import { eventually } from "../../support/deadline.ts";
import { unusedPort } from "../../support/ports.ts";

const REQUEST = "GET /path HTTP/1.1\r\nHost: one.localhost\r\nConnection: close\r\n\r\n";

function socketAddress(text: string, port: number) {
  const ip = parseIp(text);
  assert.ok(ip.ok);
  return { ip: ip.value, port };
}

Deno.test("a demo site over TLS names itself and its TCP peer", async () => {
  const identity = await createServerIdentity("one.localhost");
  const port = await unusedPort();
  await using _site = await Site.start({ name: "one", port, identity });
  await using client = await connectTls({ port, servername: "one.localhost", ca: identity.ca });
  await client.write(REQUEST);
  const { text } = await client.readToEnd();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /\nbackend: one\n/);
  assert.match(text, /\nrequest: GET \/path HTTP\/1\.1\n/);
  assert.match(text, /\nclient: 127\.0\.0\.1:\d+ \(TCP peer/);
});

Deno.test("a demo site keeps a connection that it says it keeps", async () => {
  const identity = await createServerIdentity("one.localhost");
  const port = await unusedPort();
  await using _site = await Site.start({ name: "one", port, identity });
  await using client = await connectTls({ port, servername: "one.localhost", ca: identity.ca });
  const text = () => new TextDecoder().decode(client.received);
  for (const path of ["/first", "/second"]) {
    await client.write(`GET ${path} HTTP/1.1\r\nHost: one.localhost\r\n\r\n`);
    await eventually(() => text().includes(`\nrequest: GET ${path} HTTP/1.1\n`), path);
  }
  assert.equal(text().match(/^Connection: keep-alive\r$/gm)?.length, 2);
  client.end();
  assert.equal((await client.readToEnd()).ending, "end");
});

Deno.test("a demo site with PROXY protocol names the client in the header", async () => {
  const port = await unusedPort();
  await using _site = await Site.start({ name: "two", port, proxyProtocol: true });
  await using client = await connectRaw({ port });
  const header = encodeProxyV2({
    source: socketAddress("2001:db8::7", 4711),
    destination: socketAddress("2001:db8::1", 443),
  });
  // One octet at a time, and the request together with the last one.
  for (const octet of header.subarray(0, -1)) await client.write(Uint8Array.of(octet));
  await client.write(Buffer.concat([header.subarray(-1), Buffer.from(REQUEST)]));
  const { text } = await client.readToEnd();
  assert.match(text, /\nclient: 2001:db8::7 port 4711 \(PROXY v2 header\)\n/);
});

Deno.test("a demo site closes a connection without the PROXY header it requires", async () => {
  const port = await unusedPort();
  await using _site = await Site.start({ name: "two", port, proxyProtocol: true });
  await using client = await connectRaw({ port });
  await client.write(REQUEST);
  assert.equal((await client.readToEnd()).text, "");
});
