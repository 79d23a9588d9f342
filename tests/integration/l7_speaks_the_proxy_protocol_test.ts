import assert from "node:assert/strict";
import { parseIp } from "../../lib/addr/mod.ts";
import { DEFAULT_FIELD_SETTINGS } from "../../lib/l7/mod.ts";
import { encodeProxyV2, parseProxyHeader } from "../../lib/proxyproto/mod.ts";
import { startBackend } from "../support/backends.ts";
import { backend as balancedBackend } from "../support/balancing.ts";
import { connectTls } from "../support/clients.ts";
import {
  connectHttp2,
  HOST,
  identity,
  seenValues,
  startL7,
  startSeeingBackend,
} from "../support/l7.ts";

function address(text: string, port: number) {
  const ip = parseIp(text);
  assert(ip.ok);
  return { ip: ip.value, port };
}

const HEADER = encodeProxyV2({
  source: address("198.51.100.7", 4711),
  destination: address("203.0.113.1", 443),
});

async function ask(port: number, prefix: Uint8Array, more = ""): Promise<string> {
  const { ca } = await identity();
  await using peer = await connectTls({ port, servername: HOST, ca, prefix });
  await peer.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${more}Connection: close\r\n\r\n`);
  return (await peer.readToEnd()).text;
}

const CLAIM = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n";

Deno.test("the client of a PROXY header is the client of l7", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    listener: { proxyProtocol: true },
  });
  assert.match(await ask(proxy.port, HEADER, CLAIM), /^HTTP\/1\.1 200/);
  const [request] = backend.seen;
  assert(request !== undefined);
  // Nobody said that the peers of this listener are to be believed about earlier hops.
  assert.deepEqual(seenValues(request, "x-forwarded-for"), ["198.51.100.7"]);
  assert.deepEqual(seenValues(request, "x-forwarded-proto"), ["https"]);
  assert.deepEqual(seenValues(request, "x-real-ip"), ["198.51.100.7"]);
  assert.equal((await proxy.request()).client, "198.51.100.7:4711");
});

/** Asks through a trusted sender of PROXY headers; what the backend heard of earlier hops. */
async function believed(trustedForwarding: readonly string[]): Promise<string[][]> {
  await using backend = await startSeeingBackend();
  const fields = { ...DEFAULT_FIELD_SETTINGS, trustedForwarding };
  await using proxy = await startL7({
    backend: backend.address,
    listener: { proxyProtocol: true, trustedProxies: ["127.0.0.0/8"] },
    settings: { l7: { h2Transport: "own", accessLog: true, fields } },
  });
  assert.match(await ask(proxy.port, HEADER, CLAIM), /^HTTP\/1\.1 200/);
  const [request] = backend.seen;
  assert(request !== undefined);
  return ["x-forwarded-for", "x-forwarded-proto"].map((name) => seenValues(request, name));
}

Deno.test("who sends a PROXY header is not believed about what is inside of TLS", async () => {
  const replaced = [["198.51.100.7"], ["https"]];
  assert.deepEqual(await believed([]), replaced);
  // The sender's address is not the client's.
  assert.deepEqual(await believed(["127.0.0.0/8"]), replaced);
});

Deno.test("a client of trusted_forwarding is believed, by the address of the PROXY header", async () => {
  const kept = [["192.0.2.1, 198.51.100.7"], ["http"]];
  assert.deepEqual(await believed(["198.51.100.0/24"]), kept);
  assert.deepEqual(await believed(["2001:db8::/32", "198.51.100.7"]), kept);
});

const WAYS: readonly [protocol: "http1" | "auto", isBalanced: boolean][] = [
  ["http1", false],
  ["auto", false],
  ["http1", true],
];
for (const [protocol, isBalanced] of WAYS) {
  const way = `${protocol}${isBalanced ? ", one of several backends" : ""}`;
  Deno.test(`each client has its own backend connections behind a PROXY header (${way})`, async () => {
    const sources: string[] = [];
    await using backend = await startBackend({
      onConnection: (peer) => {
        peer.socket.on("end", () => peer.socket.end());
        peer.socket.once("data", () => {
          const header = parseProxyHeader(peer.received);
          assert(header.kind === "ok");
          const { source } = header.value;
          const rest = new TextDecoder().decode(peer.received.subarray(header.size));
          if (rest.startsWith("PRI")) {
            return void peer.socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
          }
          sources.push(String(source?.port));
          const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
          if (rest !== "") peer.socket.write(answer);
          peer.socket.on("data", () => peer.socket.write(answer));
        });
      },
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: {
        ...{ sendProxyProtocol: true, backendProtocol: protocol },
        ...isBalanced && { backends: [balancedBackend(backend.address)] },
      },
    });
    await using one = await connectHttp2(proxy);
    await using two = await connectHttp2(proxy);
    for (const client of [one, two, one]) assert.equal((await client.ask()).status, 200);
    const clients = proxy.requests.map(({ client }) => client.split(":").at(-1));
    assert.deepEqual(new Set(sources), new Set(clients));
    assert.equal(new Set(sources).size, 2, "the clients share nothing");
  });
}
