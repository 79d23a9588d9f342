import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createChallengeCertificate, generateKey } from "../../lib/acme/mod.ts";
import { answerChallenge } from "../../lib/acme_tls/mod.ts";
import { parseClientHello } from "../../lib/sni/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";

/** Serves one handshake over TCP; gives how it ended. */
async function serveOne(): Promise<{ port: number; ended: Promise<string> }> {
  const key = await generateKey();
  const certificate = await createChallengeCertificate(key, {
    name: "a.example",
    keyAuthorization: "token.thumbprint",
    nowMs: Date.now(),
  });
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ended = (async () => {
    const [socket] = await once(server, "connection");
    server.close();
    const pieces = socket[Symbol.asyncIterator]();
    let hello = new Uint8Array(0);
    while (parseClientHello(hello).kind === "need") {
      hello = Uint8Array.from([...hello, ...(await pieces.next()).value]);
    }
    try {
      await answerChallenge(hello, {
        certificate,
        key: key.privateKey,
        stream: {
          read: async () => (await pieces.next()).value,
          write: (octets) => socket.write(octets),
        },
      });
      return "proved";
    } catch (error) {
      return (error as Error).message;
    } finally {
      socket.end();
      socket.resume();
    }
  })();
  return { port: (server.address() as AddressInfo).port, ended };
}

for (
  const [groups, retries] of [
    ["X25519", false],
    ["P-256", false],
    ["P-384:P-256", true],
    ["X448:X25519", true],
    ["P-521:X25519:P-256", true],
  ] as const
) {
  testWithCommands(
    ["openssl"],
    `the flight of acme-tls/1 is one that OpenSSL completes with groups ${groups}`,
    async () => {
      const { port, ended } = await serveOne();
      const { stdout, stderr } = await runCommand("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "a.example", "-msg"],
        ...["-alpn", "acme-tls/1", "-groups", groups, "-tls1_3"],
      ]);
      assert.equal(await ended, "proved", stderr);
      assert.match(stdout, /ALPN protocol: acme-tls\/1/);
      assert.match(stdout, /New, TLSv1\.3, Cipher is TLS_AES_128_GCM_SHA256/);
      const hellos = stdout.match(/>>> TLS 1\.3, Handshake \[length [0-9a-f]+\], ClientHello/g);
      assert.equal(hellos?.length, retries ? 2 : 1);
      assert.match(stdout, /<<< .*Alert .*\n? *01 00|close_notify/, "it is told that this was all");
    },
  );
}

testWithCommands(["openssl"], "a client without TLS 1.3 gets nothing from the flight", async () => {
  const { port, ended } = await serveOne();
  await runCommand("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "a.example"],
    ...["-alpn", "acme-tls/1", "-tls1_2"],
  ]);
  assert.match(await ended, /does not speak TLS 1\.3|malformed/);
});
