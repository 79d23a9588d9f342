import assert from "node:assert/strict";
import { join } from "node:path";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { DOMAIN, issueClient, startConnector } from "../support/connector.ts";
import {
  concat,
  extension,
  record,
  serverNameBody,
  u16,
  vector16,
  vector8,
} from "../support/hello.ts";
import { HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** The named group X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem §5). */
const X25519MLKEM768 = 0x11ec;
const CLIENT = join(ROOT, "tests/testdata/post_quantum/main.go");

/**
 * A ClientHello that takes no other key exchange and has not begun it: the server has to ask for the
 * share by name (RFC 8446 §4.1.4), and no key has to be computed here.
 */
function helloOf(serverName: string, group: number): Uint8Array {
  const suites = [0x1301, 0x1302, 0x1303].map(u16);
  const schemes = [0x0403, 0x0804, 0x0401].map(u16);
  const extensions = [
    extension(0, serverNameBody([{ type: 0, name: serverName }])),
    extension(43, vector8(u16(0x0304))),
    extension(10, vector16(u16(group))),
    extension(13, vector16(concat(schemes))),
    extension(51, vector16(new Uint8Array(0))),
  ];
  const body = concat([
    u16(0x0303),
    new Uint8Array(32).fill(7),
    vector8(new Uint8Array(32).fill(9)),
    vector16(concat(suites)),
    vector8(Uint8Array.of(0)),
    vector16(concat(extensions)),
  ]);
  const length = Uint8Array.of(body.length >> 16, body.length >> 8, body.length);
  return record(concat([Uint8Array.of(1), length, body]));
}

/** "The SHA-256 of HelloRetryRequest", as its random. */
const RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";

/** What a server asks for: `retry with` a group, or that it sent an alert. */
async function answerOf(port: number, hello: Uint8Array): Promise<string> {
  await using peer = await connectRaw({ port });
  await peer.write(hello);
  const header = await peer.read(5);
  const payload = await peer.read(((header[3] ?? 0) << 8) | (header[4] ?? 0));
  peer.reset();
  if (header[0] !== 22) return `a record of type ${header[0]}`;
  // Handshake header, version and random; the key share is the only extension of its length.
  const isRetry = payload.subarray(6, 38).toHex() === RETRY;
  const group = /00330002([0-9a-f]{4})/.exec(payload.toHex())?.[1];
  return isRetry ? `retry with ${group}` : "no retry";
}

Deno.test("l7 and mtls agree on X25519MLKEM768 with a client that takes nothing else", async () => {
  await using backend = await startEchoBackend();
  await using l7 = await startL7({ backend: backend.address });
  await using connector = await startConnector({ address: backend.address });
  const cases = [[l7.port, HOST], [connector.plane.port, `web.${DOMAIN}`]] as const;
  for (const [port, name] of cases) {
    assert.equal(await answerOf(port, helloOf(name, X25519MLKEM768)), "retry with 11ec");
    assert.equal(await answerOf(port, helloOf(name, 0x001d)), "retry with 001d");
    // secp256k1, which nobody here speaks: what a refusal looks like.
    assert.equal(await answerOf(port, helloOf(name, 0x0016)), "a record of type 21");
  }
});

testWithCommands(["go"], "a client of Go gets through l7 and mtls by X25519MLKEM768", async () => {
  using folder = temporaryFolder();
  const program = join(folder.path, "client");
  const built = await runCommand("go", ["build", "-o", program, CLIENT], {
    env: { GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local" },
  });
  assert.equal(built.code, 0, built.stderr);
  const said = async (...args: string[]) => (await runCommand(program, args)).stdout;

  await using web = await startHttpBackend("http1", (_, response) => void response.end("ok"));
  await using l7 = await startL7({ backend: web.address });
  const overL7 = await said(`127.0.0.1:${l7.port}`, HOST);
  assert.equal(overL7, "TLS 1.3 X25519MLKEM768\nHTTP <nil>\n");

  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  const { certPem, keyPem } = await issueClient("acme", "alice");
  const [cert, key] = [join(folder.path, "a.pem"), join(folder.path, "a.key")];
  await Deno.writeTextFile(cert, certPem);
  await Deno.writeTextFile(key, keyPem);
  const overMtls = await said(`127.0.0.1:${connector.plane.port}`, `web.${DOMAIN}`, cert, key);
  assert.equal(overMtls, "TLS 1.3 X25519MLKEM768\nGET  <nil>\n");
});
