import assert from "node:assert/strict";
import { startEchoBackend, startRecordingBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello, concat } from "../support/hello.ts";
import { startPlane } from "../support/plane.ts";
import { proxyV1, proxyV2, V2_SIGNATURE } from "../support/proxy_header.ts";

const hello = buildClientHello({ serverName: "a.test", padTo: 517 });
const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("the address in the PROXY header decides, not the peer's", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    rules: [{ type: "ip", value: "203.0.113.9" }, { type: "cidr", value: "2001:db8::/32" }],
    listener: { proxyProtocol: true },
  });
  const cases = [
    [proxyV1("203.0.113.9", "192.0.2.1"), "blocked"],
    [proxyV1("2001:db8::1", "2001:db8::2"), "blocked"],
    [proxyV1("::ffff:203.0.113.9", "::ffff:192.0.2.1"), "blocked"],
    [proxyV1("203.0.113.8", "192.0.2.1"), "relayed"],
    [proxyV2(0x21, 0x11, Uint8Array.of(203, 0, 113, 9, 1, 2, 3, 4, 0, 9, 0, 9)), "blocked"],
    [proxyV2(0x21, 0x11, Uint8Array.of(203, 0, 113, 8, 1, 2, 3, 4, 0, 9, 0, 9)), "relayed"],
    // LOCAL and UNKNOWN: the connection is the peer's own.
    [proxyV2(0x20, 0x00, new Uint8Array(0)), "relayed"],
    [encode("PROXY UNKNOWN\r\n"), "relayed"],
  ] as const;
  for (const [i, [header, outcome]] of cases.entries()) {
    await using client = await connectRaw({ port: plane.port });
    client.end(concat([header, hello]));
    const { bytes, ending } = await client.readToEnd();
    assert.equal((await plane.event(i)).outcome, outcome, `case ${i}`);
    assert.equal(ending, outcome === "blocked" ? "reset" : "end", `case ${i}`);
    // Nothing after the header is lost, and nothing of the header reaches the backend.
    if (outcome === "relayed") assert.deepEqual(new Uint8Array(bytes), hello);
  }
  assert.equal((await plane.event(3)).client, "203.0.113.8:40000");
  assert.match((await plane.event(3)).peer, /^127\.0\.0\.1:/);
  assert.match((await plane.event(6)).client, /^127\.0\.0\.1:/);
});

Deno.test("a header that speaks of UDP is refused: it came over TCP", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true },
  });
  const v4 = Uint8Array.of(203, 0, 113, 8, 1, 2, 3, 4, 0, 9, 0, 9);
  const cases = [[0x12, v4], [0x22, new Uint8Array(36)], [0x32, new Uint8Array(216)]] as const;
  for (const [i, [family, block]] of cases.entries()) {
    await using client = await connectRaw({ port: plane.port });
    client.end(concat([proxyV2(0x21, family, block), hello]));
    assert.equal((await client.readToEnd()).ending, "reset");
    const { outcome, reason } = await plane.event(i);
    assert.deepEqual([outcome, reason], ["proxy_invalid", "a v2 header names a datagram protocol"]);
  }
  assert.equal(backend.connections.length, 0);
  // LOCAL says nothing of whom, whatever stands there.
  await using local = await connectRaw({ port: plane.port });
  local.end(concat([proxyV2(0x20, 0x12, v4), hello]));
  assert.deepEqual(new Uint8Array((await local.readToEnd()).bytes), hello);
});

Deno.test("header and hello may be cut at every octet", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true },
  });
  const small = buildClientHello({ serverName: "a.test" });
  for (
    const header of [
      proxyV1("203.0.113.8", "192.0.2.1"),
      proxyV2(0x21, 0x11, Uint8Array.of(203, 0, 113, 8, 1, 2, 3, 4, 0, 9, 0, 9)),
    ]
  ) {
    const stream = concat([header, small]);
    const cuts = Array.from({ length: stream.length - 1 }, (_, i) => i + 1).values();
    // A few at a time: those that wait for hundreds of others are cut off as late on a busy machine.
    const lane = async () => {
      for (const cut of cuts) {
        await using client = await connectRaw({ port: plane.port });
        client.socket.setNoDelay(true);
        await client.write(stream.subarray(0, cut));
        await new Promise((resolve) => setTimeout(resolve, 5));
        client.end(stream.subarray(cut));
        assert.deepEqual(new Uint8Array((await client.readToEnd()).bytes), small, `cut at ${cut}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  }
});

Deno.test("anything but a PROXY header where one is required gets a RST", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true },
    peekTimeoutMs: 300,
  });
  const cases = [
    ["garbage", encode("GET / HTTP/1.1\r\n\r\n"), "proxy_invalid"],
    ["a ClientHello without header", hello, "proxy_invalid"],
    ["an endless v1 header", encode(`PROXY TCP4 ${"1".repeat(200)}`), "proxy_invalid"],
    [
      "a v2 header over the limit",
      concat([V2_SIGNATURE, Uint8Array.of(0x21, 0x11, 255, 255)]),
      "proxy_invalid",
    ],
    ["a truncated v1 header", encode("PROXY TCP4 1.2.3.4 "), "proxy_timeout"],
    ["a truncated v2 header", V2_SIGNATURE, "proxy_timeout"],
    ["silence", new Uint8Array(0), "proxy_timeout"],
  ] as const;
  for (const [i, [name, bytes, outcome]] of cases.entries()) {
    await using client = await connectRaw({ port: plane.port });
    if (bytes.length > 0) await client.write(bytes);
    assert.equal((await client.readToEnd()).ending, "reset", name);
    assert.equal((await plane.event(i)).outcome, outcome, name);
  }
  assert.equal(backend.connections.length, 0);
});

Deno.test("a PROXY header on a listener that does not ask for it is not a ClientHello", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
  });
  for (
    const [i, header] of [
      proxyV1("203.0.113.8", "192.0.2.1"),
      proxyV2(0x21, 0x11, Uint8Array.of(203, 0, 113, 8, 1, 2, 3, 4, 0, 9, 0, 9)),
    ].entries()
  ) {
    await using client = await connectRaw({ port: plane.port });
    await client.write(concat([header, hello]));
    assert.equal((await client.readToEnd()).ending, "reset");
    assert.equal((await plane.event(i)).outcome, "hello_invalid");
  }
  assert.equal(backend.connections.length, 0);
});

Deno.test("only trusted proxies may send a header", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    listener: { proxyProtocol: true, trustedProxies: ["127.0.0.2", "10.0.0.0/8"] },
  });
  const stream = concat([proxyV1("203.0.113.8", "192.0.2.1"), hello]);
  await using stranger = await connectRaw({ port: plane.port });
  await stranger.write(stream);
  assert.equal((await stranger.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "proxy_untrusted");
  await using trusted = await connectRaw({ port: plane.port, localAddress: "127.0.0.2" });
  trusted.end(stream);
  assert.deepEqual(new Uint8Array((await trusted.readToEnd()).bytes), hello);
});

Deno.test("send_proxy_protocol puts a v2 header with the real client before the ClientHello", async () => {
  await using backend = await startRecordingBackend();
  await using plane = await startPlane({
    routes: [
      { hostname: "with.test", backend: backend.address, sendProxyProtocol: true },
      { hostname: "without.test", backend: backend.address },
    ],
    listener: { proxyProtocol: true },
  });
  for (const serverName of ["with.test", "without.test"]) {
    await using client = await connectRaw({ port: plane.port });
    const header = proxyV1("203.0.113.8", "192.0.2.1", { source: 4660, destination: 8443 });
    client.end(concat([header, buildClientHello({ serverName })]));
    await client.readToEnd();
  }
  const expected = proxyV2(
    0x21,
    0x11,
    Uint8Array.of(203, 0, 113, 8, 192, 0, 2, 1, 0x12, 0x34, 8443 >> 8, 8443 & 255),
  );
  const [first, second] = [await backend.connection(0), await backend.connection(1)];
  assert.deepEqual(
    new Uint8Array(first.received),
    concat([expected, buildClientHello({ serverName: "with.test" })]),
  );
  assert.deepEqual(
    new Uint8Array(second.received),
    buildClientHello({ serverName: "without.test" }),
  );
});

Deno.test("without a header from the hop before, the v2 header carries the socket's addresses", async () => {
  await using backend = await startRecordingBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address, sendProxyProtocol: true }],
  });
  await using client = await connectRaw({ port: plane.port, localAddress: "127.0.0.3" });
  const clientPort = client.socket.localPort ?? 0;
  client.end(hello);
  await client.readToEnd();
  const ports = [clientPort >> 8, clientPort & 255, plane.port >> 8, plane.port & 255];
  const expected = proxyV2(0x21, 0x11, Uint8Array.of(127, 0, 0, 3, 127, 0, 0, 1, ...ports));
  assert.deepEqual(
    new Uint8Array((await backend.connection()).received),
    concat([expected, hello]),
  );
});
