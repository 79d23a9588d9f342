import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello, concat, extension, record, serverNameBody } from "../support/hello.ts";
import { startPlane } from "../support/plane.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const named = (name: string | Uint8Array) =>
  buildClientHello({
    extraExtensions: [{ type: 0, body: serverNameBody([{ type: 0, name }]) }],
  });

Deno.test("hellos that say nothing usable get a RST and one event each", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }, {
      hostname: "*.w.test",
      backend: backend.address,
    }],
    peekTimeoutMs: 400,
  });
  const cases = [
    ["plain HTTP", encode("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), "hello_invalid"],
    ["SSH", encode("SSH-2.0-OpenSSH_9.2\r\n"), "hello_invalid"],
    ["SSLv2", Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10), "hello_invalid"],
    ["zeroes", new Uint8Array(4096), "hello_invalid"],
    ["a TLS alert", Uint8Array.of(21, 3, 1, 0, 2, 2, 40), "hello_invalid"],
    ["a record over 2^14", record(new Uint8Array(5), { length: 0xffff }), "hello_invalid"],
    [
      "a ServerHello",
      buildClientHello({ serverName: "a.test", handshakeType: 2 }),
      "hello_invalid",
    ],
    [
      "a length that lies high",
      buildClientHello({ serverName: "a.test", handshakeLengthError: 9 }),
      "hello_timeout",
    ],
    [
      "a length that lies low",
      buildClientHello({ serverName: "a.test", handshakeLengthError: -9 }),
      "hello_invalid",
    ],
    ["NUL in the name", named("a.test\0.evil"), "hello_invalid"],
    ["an IPv4 address", named("192.0.2.1"), "hello_invalid"],
    ["an IPv6 address", named("2001:db8::1"), "hello_invalid"],
    ["an empty name", named(""), "hello_invalid"],
    ["a name of 300 octets", named(`${"a".repeat(60)}.`.repeat(5) + "test"), "hello_invalid"],
    [
      "two names",
      buildClientHello({
        serverName: "a.test",
        extraExtensions: [{ type: 0, body: serverNameBody([{ type: 0, name: "b.test" }]) }],
      }),
      "hello_invalid",
    ],
    ["no name", buildClientHello({}), "no_server_name"],
    ["no extensions", buildClientHello({ extensions: false }), "no_server_name"],
    ["a name without a route", buildClientHello({ serverName: "b.test" }), "no_route"],
    ["the parent of a wildcard", buildClientHello({ serverName: "w.test" }), "no_route"],
    ["half a hello", buildClientHello({ serverName: "a.test" }).subarray(0, 50), "hello_timeout"],
    ["silence", new Uint8Array(0), "hello_timeout"],
  ] as const;
  for (const [i, [name, bytes, outcome]] of cases.entries()) {
    await using client = await connectRaw({ port: plane.port });
    if (bytes.length > 0) await client.write(bytes);
    const { bytes: answer, ending } = await client.readToEnd();
    assert.equal((await plane.event(i)).outcome, outcome, name);
    assert.equal(ending, "reset", name);
    assert.equal(answer.length, 0, name);
  }
  assert.equal(backend.connections.length, 0);
});

Deno.test("a hello over 64 KiB is refused before it is complete", async () => {
  await using plane = await startPlane({ peekTimeoutMs: 10_000 });
  await using client = await connectRaw({ port: plane.port });
  const chunk = record(new Uint8Array(16_000));
  const start = Uint8Array.of(22, 3, 1, 0, 4, 1, 1, 0, 0); // a message of 65,536 octets
  client.socket.write(concat([start, chunk, chunk, chunk, chunk, chunk]));
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "hello_invalid");
});

Deno.test("one octet at a time does not extend the deadline", async () => {
  await using plane = await startPlane({ peekTimeoutMs: 300 });
  await using client = await connectRaw({ port: plane.port });
  client.socket.setNoDelay(true);
  const hello = buildClientHello({ serverName: "a.test" });
  let at = 0;
  const drip = setInterval(() => client.socket.write(hello.subarray(at, ++at)), 20);
  try {
    assert.equal((await client.readToEnd()).ending, "reset");
  } finally {
    clearInterval(drip);
  }
  assert.equal((await plane.event()).outcome, "hello_timeout");
  assert(at < hello.length);
});

Deno.test("a client that leaves before it has spoken is counted, not routed", async () => {
  await using plane = await startPlane({});
  for (const leave of ["end", "reset"] as const) {
    await using client = await connectRaw({ port: plane.port });
    await client.write(buildClientHello({ serverName: "a.test" }).subarray(0, 20));
    client[leave]();
  }
  for (const i of [0, 1]) assert.equal((await plane.event(i)).outcome, "client_gone");
});

Deno.test("a large post-quantum hello in small records is routed", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
  });
  const hello = buildClientHello({
    serverName: "A.Test.",
    postQuantum: true,
    grease: true,
    ech: true,
    extraExtensions: [{ type: 0xfff0, body: new Uint8Array(9000) }],
    recordSizes: [1, 400],
  });
  await using client = await connectRaw({ port: plane.port });
  client.end(hello);
  assert.deepEqual(new Uint8Array((await client.readToEnd()).bytes), hello);
  assert.equal((await plane.event()).sni, "a.test");
});

Deno.test("extension bodies that lie are refused, whatever they claim", async () => {
  await using plane = await startPlane({ peekTimeoutMs: 5000 });
  const lying = extension(0, Uint8Array.of(0, 200, 0, 0, 5, 97));
  const hello = buildClientHello({
    extraExtensions: [{ type: 0, body: lying.subarray(4) }],
  });
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "hello_invalid");
});
