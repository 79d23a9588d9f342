import assert from "node:assert/strict";
import net from "node:net";
import { adopting, InheritedSockets, type Sockets, type TcpStream } from "../../../lib/tcp/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { dial, LOOPBACK, Recorder, type Test } from "./pair.ts";

/** Sockets of a service manager. */
export function testInheriting(sockets: Sockets, test: Test): void {
  test("a socket that was inherited is listened on: who waits in its queue and who comes later", async () => {
    const { fd, port } = await inheritedSocket();
    const early = await dial(sockets, port);
    const accepted: Recorder[] = [];
    const listener = await sockets.listen({ fd }, (stream) => {
      accepted.push(new Recorder(stream));
      stream.resume();
    });
    assert.equal(listener.port, port);
    const late = await dial(sockets, port);
    listener.rearm();
    await eventually(() => accepted.length === 2, "both are accepted, each once");
    const names = accepted.map(({ stream }) => stream.peerName()?.port);
    assert.deepEqual(names, [early, late].map((stream) => stream.localName()?.port));
    early.write(Uint8Array.of(1, 2));
    await accepted[0]?.receives(2);
    accepted[0]?.stream.write(Uint8Array.of(3));
    const client = new Recorder(early);
    early.resume();
    await client.receives(1);
    for (const { stream } of accepted) stream.close();
    for (const stream of [early, late]) stream.close();
    listener.close();
  });

  test("closing a listener that was inherited leaves its socket to the others and to who comes next", async () => {
    const { fd, port } = await inheritedSocket();
    const inherited = new InheritedSockets([fd]);
    const accepted: [number, TcpStream][] = [];
    const open = async (name: number) => {
      const adopted = adopting(sockets, inherited.duplicate());
      const target = { host: LOOPBACK, port };
      return await adopted.listen(target, (stream) => void accepted.push([name, stream]));
    };
    const first = await open(1);
    const second = await open(2);
    first.close();
    const clients: TcpStream[] = [];
    for (let i = 1; i <= 3; i++) clients.push(await dial(sockets, port));
    await eventually(() => accepted.length === 3, "the other one accepts");
    assert.deepEqual(accepted.map(([name]) => name), [2, 2, 2]);
    second.close();
    // Nobody accepts now, and the queue is there.
    clients.push(await dial(sockets, port));
    assert.equal(accepted.length, 3);
    const third = await open(3);
    await eventually(() => accepted.length === 4, "the next one has what waited");
    assert.equal(accepted[3]?.[0], 3);
    third.close();
    for (const [, stream] of accepted) stream.close();
    for (const stream of clients) stream.close();
  });

  test("one descriptor is adopted once, and other addresses are bound", async () => {
    const { fd, port } = await inheritedSocket();
    const adopted = adopting(sockets, new InheritedSockets([fd]).duplicate());
    const other = await adopted.listen({ host: LOOPBACK, port: 0 }, () => {});
    assert.notEqual(other.port, port);
    const first = await adopted.listen({ host: LOOPBACK, port }, () => {});
    assert.equal(first.port, port);
    await assert.rejects(
      adopted.listen({ host: LOOPBACK, port }, () => {}),
      (error: NodeJS.ErrnoException) => error.code === "EADDRINUSE",
    );
    first.close();
    other.close();
  });

  test("a descriptor that is no socket is refused with its code", async () => {
    await assert.rejects(
      sockets.listen({ fd: 9999 }, () => {}),
      (error: NodeJS.ErrnoException) => error.code === "EINVAL" || error.code === "EBADF",
    );
  });
}

/** A listening socket of which only its descriptor is left, as a service manager passes one. */
async function inheritedSocket(): Promise<{ readonly fd: number; readonly port: number }> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen({ host: LOOPBACK, port: 0 }, resolve));
  const { port } = server.address() as net.AddressInfo;
  const fd = (server as unknown as { _handle: { fdForIpc(): number } })._handle.fdForIpc();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { fd, port };
}
