import assert from "node:assert/strict";
import type { Sockets, TcpStream } from "../../../lib/tcp/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { dial, LOOPBACK, openPair, type Test } from "./pair.ts";

/** Addresses of listeners and of both ends. */
export function testNames(sockets: Sockets, test: Test): void {
  test("both ends know their names, and forget the peer's when it is gone", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    assert.deepEqual(server.stream.peerName()?.port, client.stream.localName()?.port);
    assert.equal(server.stream.localName()?.port, pair.listener.port);
    assert.equal(server.stream.peerName()?.address, LOOPBACK);
  });

  test("a port that another program has is refused with EADDRINUSE, one of ours is shared", async () => {
    const { port, close } = await listenAlone();
    try {
      await assert.rejects(
        sockets.listen({ host: LOOPBACK, port }, () => {}),
        { code: "EADDRINUSE" },
      );
    } finally {
      close();
    }
    const first = await sockets.listen({ host: LOOPBACK, port: 0 }, () => {});
    const second = await sockets.listen({ host: LOOPBACK, port: first.port }, () => {});
    first.close();
    second.close();
  });

  test("a listener of every address takes IPv4 and IPv6", async () => {
    const accepted: TcpStream[] = [];
    const listener = await sockets.listen({ host: "", port: 0 }, (s) => void accepted.push(s));
    const clients = [
      await dial(sockets, listener.port),
      await dial(sockets, listener.port, "::1"),
    ];
    await eventually(() => accepted.length === 2, "both are accepted");
    for (const stream of [...clients, ...accepted]) stream.close();
    listener.close();
  });

  test("a listener that is closed refuses, and its connections go on", async () => {
    await using pair = await openPair(sockets);
    pair.listener.close();
    await assert.rejects(dial(sockets, pair.listener.port));
    pair.client.stream.write(Uint8Array.of(1));
    pair.server.stream.resume();
    await pair.server.receives(1);
  });

  test("arming the accept loop again accepts each connection once", async () => {
    let accepted = 0;
    const listener = await sockets.listen({ host: LOOPBACK, port: 0 }, (stream) => {
      accepted++;
      stream.close();
    });
    for (let i = 0; i < 5; i++) {
      listener.rearm();
      (await dial(sockets, listener.port)).close();
    }
    await eventually(() => accepted === 5, "five are accepted");
    listener.close();
  });
}

/** A port that is bound without SO_REUSEPORT. */
function listenAlone(): Promise<{ port: number; close: () => void }> {
  const listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  return Promise.resolve({
    port: (listener.addr as Deno.NetAddr).port,
    close: () => listener.close(),
  });
}
