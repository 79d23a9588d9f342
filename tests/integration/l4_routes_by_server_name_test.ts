import assert from "node:assert/strict";
import { startEchoBackend, startTlsBackend } from "../support/backends.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { startPlane } from "../support/plane.ts";

Deno.test("l4 relays TLS to the backend that the server name selects, end to end", async () => {
  const authority = await createAuthority({ commonName: "test" });
  const one = await issueCertificate(authority, { dnsNames: ["one.test"], usages: ["server"] });
  const any = await issueCertificate(authority, { dnsNames: ["*.wild.test"], usages: ["server"] });
  await using backendOne = await startTlsBackend("one", one);
  await using backendAny = await startTlsBackend("any", any);
  await using plane = await startPlane({
    routes: [
      { hostname: "one.test", backend: backendOne.address },
      { hostname: "*.wild.test", backend: backendAny.address },
    ],
  });
  for (const [servername, greeting] of [["ONE.test", "one\n"], ["a.wild.test", "any\n"]] as const) {
    await using client = await connectTls({
      port: plane.port,
      servername,
      ca: authority.certPem,
    });
    assert.equal(await client.readText(greeting.length), greeting);
    await client.write("ping");
    assert.equal(await client.readText(4), "ping");
  }
  const event = await plane.event(1);
  assert.equal(event.outcome, "relayed");
  assert.equal(event.sni, "a.wild.test");
  assert.equal(event.route, "*.wild.test");
  assert.equal(event.mode, "l4");
  assert.equal(event.backend, backendAny.address);
  assert(event.bytesIn > 0 && event.bytesOut > 0);
});

Deno.test("l4 hands the ClientHello over unchanged, however it was cut", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
  });
  const hello = buildClientHello({ serverName: "a.test", padTo: 517 });
  for (const size of [1, 5, 100, hello.length]) {
    await using client = await connectRaw({ port: plane.port });
    client.socket.setNoDelay(true);
    for (let at = 0; at < hello.length; at += size) {
      await client.write(hello.subarray(at, at + size));
      if (size < 100) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.deepEqual(new Uint8Array(await client.read(hello.length)), hello);
    client.end("rest");
    assert.equal((await client.readToEnd()).text, "rest");
  }
});
