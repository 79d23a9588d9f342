import assert from "node:assert/strict";
import { join } from "node:path";
import { createServerIdentity } from "../support/certificates.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { serveZones, StreamClient } from "../support/served_zones.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";

const ZONE = zoneOf("z.example", `${APEX}a A 192.0.2.1\n`);
const { certPem, keyPem, ca } = await createServerIdentity("ns.example.net");
const NAME = "ns.example.net";

async function connect(port: number, caCerts: string, alpnProtocols?: string[]) {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  const options = { hostname: NAME, caCerts: [caCerts], ...alpnProtocols && { alpnProtocols } };
  const conn = await Deno.startTls(tcp, options);
  const { alpnProtocol } = await conn.handshake();
  return { client: new StreamClient(conn), alpn: alpnProtocol };
}

Deno.test("questions are answered over TLS, with the protocol named and without", async () => {
  await using served = await serveZones([ZONE], { tls: { certPem, keyPem } });
  for (const alpn of [["dot"], undefined]) {
    const { client, alpn: agreed } = await connect(served.tlsPort, ca, alpn);
    using _client = client;
    assert.equal(agreed, alpn?.[0] ?? null);
    const { answer } = readAnswer(await client.ask(queryFor("a.z.example A")));
    assert.deepEqual(answer, ["a.z.example. 300 A 192.0.2.1"]);
  }
  assert.equal(served.counters.get("tls_messages"), 2);
});

Deno.test("a certificate takes the place of another one for handshakes from then on", async () => {
  await using served = await serveZones([ZONE], { tls: { certPem, keyPem } });
  const { client } = await connect(served.tlsPort, ca);
  using _client = client;
  const next = await createServerIdentity(NAME);
  served.server.setTls(next);
  const { client: later } = await connect(served.tlsPort, next.ca);
  using _later = later;
  assert.equal(readAnswer(await later.ask(queryFor("a.z.example A"))).answer.length, 1);
  assert.equal(readAnswer(await client.ask(queryFor("a.z.example A"))).answer.length, 1);
});

Deno.test("a handshake that does not go on gives its place back, and others are served", async () => {
  await using served = await serveZones([ZONE], {
    tls: { certPem, keyPem },
    limits: { tcpIdleMs: 400 },
  });
  using silent = await StreamClient.connect({ host: served.host, port: served.tlsPort });
  using noise = await StreamClient.connect({ host: served.host, port: served.tlsPort });
  await noise.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(typeof await noise.receive(), "string");
  const { client } = await connect(served.tlsPort, ca);
  using _client = client;
  assert.equal(readAnswer(await client.ask(queryFor("a.z.example A"))).answer.length, 1);
  assert.equal(await silent.receive(), "rst");
});

testWithCommands(["dig"], "dig asks over TLS, and knows the certificate", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "ca.pem");
  await Deno.writeTextFile(file, ca);
  await using served = await serveZones([ZONE], { tls: { certPem, keyPem } });
  const dig = (hostname: string) =>
    runCommand("dig", [
      ...["@127.0.0.1", "-p", `${served.tlsPort}`, "+tls", `+tls-ca=${file}`, "+tries=1"],
      ...[`+tls-hostname=${hostname}`, "+short", "a.z.example"],
    ]);
  assert.equal((await dig(NAME)).stdout, "192.0.2.1\n");
  assert.notEqual((await dig("other.example.net")).stdout, "192.0.2.1\n");
});
