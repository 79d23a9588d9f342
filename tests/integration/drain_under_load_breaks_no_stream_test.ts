import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });
const body = crypto.getRandomValues(new Uint8Array(60_000));

/** Clients at one time. */
const CLIENTS = 8;

/**
 * One connection: `whole` when everything came back, `refused` when it never began, `broken` when
 * it began and did not end well.
 */
async function exchange(port: number): Promise<"whole" | "refused" | "broken"> {
  try {
    await using client = await connectRaw({ port });
    client.socket.write(hello);
    client.end(body);
    const { bytes } = await client.readToEnd();
    if (bytes.length === 0) return "refused";
    const sent = Buffer.concat([hello, body]);
    return Buffer.compare(bytes, sent) === 0 ? "whole" : "broken";
  } catch {
    return "refused";
  }
}

for (const workers of [0, 2]) {
  Deno.test(`drain under load breaks no stream that was accepted (${workers} workers)`, async () => {
    await using backend = await startEchoBackend();
    await using proxy = await startProxy({
      config: {
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
        firewall: { rate_limit: 0 },
        proxy: { shutdown_timeout: "20s" },
        server: { workers },
      },
    });
    const port = proxy.port();
    const ends = { whole: 0, refused: 0, broken: 0 };
    let stop = false;
    const load = Array.from({ length: CLIENTS }, async () => {
      while (!stop) ends[await exchange(port)]++;
    });
    await eventually(() => ends.whole > 5 * CLIENTS, "traffic flows");
    assert.equal(await proxy.stop("SIGTERM"), 0);
    await eventually(() => ends.refused > CLIENTS, "new connections are refused");
    stop = true;
    await Promise.all(load);
    assert.equal(ends.broken, 0);
    const outcomes = proxy.events("connection").map(({ outcome }) => outcome);
    assert.equal(outcomes.filter((outcome) => outcome === "relayed").length, ends.whole);
    assert(!outcomes.includes("shutdown"));
  });
}
