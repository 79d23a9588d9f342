import assert from "node:assert/strict";
import {
  startBackend,
  startEchoBackend,
  startHalfClosingBackend,
  startRecordingBackend,
  startResettingBackend,
  startSilentBackend,
  startTlsBackend,
} from "../../support/backends.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { connectRaw, connectTls } from "../../support/clients.ts";
import { DeadlineError, withinDeadline } from "../../support/deadline.ts";

Deno.test("a raw client tells a FIN after bytes from a RST", async () => {
  await using ending = await startHalfClosingBackend("bye");
  await using resetting = await startResettingBackend();
  await using first = await connectRaw(ending);
  assert.deepEqual(textAndEnding(await first.readToEnd()), ["bye", "end"]);
  await using second = await connectRaw(resetting);
  await second.write("anything");
  assert.deepEqual(textAndEnding(await second.readToEnd()), ["", "reset"]);
});

Deno.test("a raw client sees a RST that was sent before it wrote anything", async () => {
  await using backend = await startBackend({ onConnection: (peer) => peer.reset() });
  await using client = await connectRaw(backend);
  assert.equal((await client.readToEnd()).ending, "reset");
});

Deno.test("a backend sees the client's reset and half-close", async () => {
  await using backend = await startEchoBackend();
  await using polite = await connectRaw(backend);
  polite.end("ping");
  assert.deepEqual(textAndEnding(await polite.readToEnd()), ["ping", "end"]);
  assert.equal(await (await backend.connection(0)).ending, "end");
  await using rude = await connectRaw(backend);
  const seen = await backend.connection(1);
  rude.reset();
  assert.equal(await withinDeadline(seen.ending, "the reset arrives"), "reset");
});

Deno.test("a recording backend keeps every octet", async () => {
  await using backend = await startRecordingBackend();
  await using client = await connectRaw(backend);
  await client.write("one ");
  client.end("two");
  assert.equal((await client.readToEnd()).ending, "end");
  assert.equal((await backend.connection()).text, "one two");
});

Deno.test("a silent backend exerts back-pressure, and is no leak once the client is gone", async () => {
  await using backend = await startSilentBackend();
  await using client = await connectRaw(backend);
  await backend.connection();
  const megabyte = new Uint8Array(1 << 20);
  const stuck = (async () => {
    for (let i = 0; i < 64; i++) await client.write(megabyte);
  })();
  await assert.rejects(withinDeadline(stuck, "64 MiB are taken", 300), DeadlineError);
});

Deno.test("disposing of a backend fails when a connection is left", async () => {
  const backend = await startEchoBackend();
  await using client = await connectRaw(backend);
  await backend.connection();
  const disposal = backend[Symbol.asyncDispose]();
  const outcome = await Promise.race([
    disposal.then(() => "disposed"),
    new Promise((resolve) => setTimeout(resolve, 100, "waiting")),
  ]);
  assert.equal(outcome, "waiting");
  await client[Symbol.asyncDispose]();
  await disposal;
});

Deno.test("a TLS backend answers with its name and echoes, and ends with close_notify", async () => {
  const identity = await createServerIdentity("one.test");
  await using backend = await startTlsBackend("one", identity);
  await using client = await connectTls({
    ca: identity.ca,
    port: backend.port,
    servername: "one.test",
  });
  assert.equal(await client.readText(4), "one\n");
  client.end("ping");
  assert.deepEqual(textAndEnding(await client.readToEnd()), ["ping", "end"]);
});

Deno.test("connectTls() rejects a certificate for another name", async () => {
  const identity = await createServerIdentity("one.test");
  await using backend = await startTlsBackend("one", identity);
  await assert.rejects(
    connectTls({ ca: identity.ca, port: backend.port, servername: "two.test" }),
    { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
  );
});

Deno.test("connectTls() rejects when the hello is answered with a RST", async () => {
  await using backend = await startResettingBackend();
  await assert.rejects(
    connectTls({ port: backend.port, servername: "one.test" }),
    { code: "ECONNRESET" },
  );
});

Deno.test("digestToEnd() gives length and checksum of a long stream", async () => {
  await using backend = await startHalfClosingBackend(new Uint8Array(3 << 20));
  await using client = await connectRaw(backend);
  const { length, ending } = await client.digestToEnd();
  assert.deepEqual([length, ending], [3 << 20, "end"]);
  client.end();
});

function textAndEnding({ text, ending }: { text: string; ending: string }): [string, string] {
  return [text, ending];
}
