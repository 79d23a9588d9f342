/**
 * What whoever carries TCP has to do, on the runtime's handles or on `node:net`.
 *
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import {
  adopting,
  createSockets,
  InheritedSockets,
  type Sockets,
  type SocketsKind,
  type StreamError,
  type StreamHandler,
  type TcpListener,
  type TcpStream,
} from "../../lib/tcp/mod.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { unusedPort } from "../support/ports.ts";

const LOOPBACK = "127.0.0.1";
const MB = 1024 * 1024;
/** More than all of the kernel's buffers on the way. */
const MORE_THAN_BUFFERS = 24 * MB;

/** Keeps what it is told, copied, as owners have to. */
class Recorder implements StreamHandler {
  readonly stream: TcpStream;
  readonly told: string[] = [];
  length = 0;
  drains = 0;
  #chunks: Uint8Array[] = [];
  readonly #keeps: boolean;

  constructor(stream: TcpStream, { keeps = true } = {}) {
    this.stream = stream;
    this.#keeps = keeps;
    stream.handler = this;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  onData(bytes: Uint8Array): void {
    this.length += bytes.length;
    if (this.#keeps) this.#chunks.push(bytes.slice());
  }

  onEnd(): void {
    this.told.push("end");
  }

  onReadError({ code }: StreamError): void {
    this.told.push(`read ${code}`);
  }

  onWriteError({ code }: StreamError): void {
    this.told.push(`write ${code}`);
  }

  onDrain(): void {
    this.drains++;
  }

  async receives(length: number): Promise<void> {
    await eventually(() => this.length >= length, `${length} octets arrive`);
  }

  async isTold(what: string): Promise<void> {
    await eventually(() => this.told.includes(what), `it is told: ${what}`);
  }
}

/** Both ends of one connection, and where it was accepted. */
class Pair implements AsyncDisposable {
  readonly client: Recorder;
  readonly server: Recorder;
  readonly listener: TcpListener;

  constructor(client: Recorder, server: Recorder, listener: TcpListener) {
    this.client = client;
    this.server = server;
    this.listener = listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.stream.close();
    this.server.stream.close();
    this.listener.close();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function dial(sockets: Sockets, port: number, address = LOOPBACK): Promise<TcpStream> {
  const { promise, resolve: onConnect, reject: onFailure } = Promise.withResolvers<TcpStream>();
  sockets.connect(address, port, { onConnect, onFailure });
  return withinDeadline(promise, "connect");
}

async function openPair(sockets: Sockets, options?: { keeps: boolean }): Promise<Pair> {
  const accepted = Promise.withResolvers<TcpStream>();
  const listener = await sockets.listen({ host: LOOPBACK, port: 0 }, accepted.resolve);
  const client = await dial(sockets, listener.port);
  const server = await withinDeadline(accepted.promise, "accept");
  return new Pair(new Recorder(client, options), new Recorder(server, options), listener);
}

/**
 * Octets of others go there and back some times: what was sent before would have been told by now,
 * if it were told at all.
 */
async function others(sockets: Sockets): Promise<void> {
  await using pair = await openPair(sockets);
  const { client, server } = pair;
  client.stream.resume();
  server.stream.resume();
  for (let i = 1; i <= 2; i++) {
    client.stream.write(Uint8Array.of(i));
    await server.receives(i);
    server.stream.write(Uint8Array.of(i));
    await client.receives(i);
  }
}

/** Registers the suite for one kind of sockets. */
export function testSockets(kind: SocketsKind): void {
  const sockets = createSockets(kind);
  const test = (name: string, fn: () => Promise<void>) => Deno.test(`${kind}: ${name}`, fn);
  testNames(sockets, test);
  testReading(sockets, test);
  testWriting(sockets, test);
  testEnds(sockets, test);
  testConnecting(sockets, test);
  testHandOver(sockets, test);
  testInheriting(sockets, test);
}

type Test = (name: string, fn: () => Promise<void>) => void;

function testNames(sockets: Sockets, test: Test): void {
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

function testReading(sockets: Sockets, test: Test): void {
  test("nothing is read before resume(), nor after pause(), and nothing is lost", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.write(Uint8Array.of(1, 2, 3));
    await others(sockets);
    assert.equal(server.length, 0);
    server.stream.resume();
    await server.receives(3);
    server.stream.pause();
    client.stream.write(Uint8Array.of(4));
    await others(sockets);
    assert.equal(server.length, 3);
    server.stream.resume();
    await server.receives(4);
    assert.deepEqual([...server.bytes], [1, 2, 3, 4]);
  });

  test("streams that are read in turns do not see each other's octets", async () => {
    await using a = await openPair(sockets);
    await using b = await openPair(sockets);
    for (const { server } of [a, b]) server.stream.resume();
    for (let i = 0; i < 50; i++) {
      a.client.stream.write(new Uint8Array(i + 1).fill(1));
      b.client.stream.write(new Uint8Array(i + 1).fill(2));
    }
    await a.server.receives(1275);
    await b.server.receives(1275);
    assert(a.server.bytes.every((octet) => octet === 1));
    assert(b.server.bytes.every((octet) => octet === 2));
  });

  test("what is passed on arrives unchanged through small reads and bulk, with back-pressure", async () => {
    await using inbound = await openPair(sockets, { keeps: false });
    await using outbound = await openPair(sockets);
    const { stream: from } = inbound.server;
    const { stream: to } = outbound.client;
    from.handler = {
      ...nothing,
      onData: () => void (!from.passOn(to) && to.queued > MB && from.pause()),
      onEnd: () => to.end(),
    };
    to.handler = { ...nothing, onDrain: () => from.resume() };
    outbound.server.stream.resume();
    from.resume();
    const sent = patterned(MORE_THAN_BUFFERS);
    for (let at = 0; at < 1000; at++) inbound.client.stream.write(sent.subarray(at, at + 1));
    await outbound.server.receives(1000);
    inbound.client.stream.lend(sent.subarray(1000), () => {});
    inbound.client.stream.end();
    await outbound.server.isTold("end");
    assert(Buffer.from(sent).equals(outbound.server.bytes));
  });
}

const nothing: StreamHandler = {
  onData() {},
  onEnd() {},
  onReadError() {},
  onWriteError() {},
  onDrain() {},
};

function patterned(length: number): Uint8Array {
  const words = new Uint32Array(length / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    words[i] = state = (state * 1664525 + 1013904223) >>> 0;
  }
  return new Uint8Array(words.buffer);
}

function testWriting(sockets: Sockets, test: Test): void {
  test("a small write is taken at once, and its memory may be used again", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const memory = Uint8Array.of(1, 2, 3);
    assert.equal(client.stream.write(memory), true);
    memory.fill(9);
    assert.equal(client.stream.queued, 0);
    server.stream.resume();
    await server.receives(3);
    assert.deepEqual([...server.bytes], [1, 2, 3]);
  });

  test("what is not taken is counted, told of when it is, and copied unless it was lent", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    let written = 0;
    const large = patterned(MORE_THAN_BUFFERS);
    assert.equal(client.stream.lend(large, () => written++), false);
    assert(client.stream.queued >= MORE_THAN_BUFFERS);
    const memory = Uint8Array.of(1, 2, 3);
    assert.equal(client.stream.write(memory), false);
    memory.fill(9);
    assert.deepEqual([written, client.drains], [0, 0]);
    server.stream.resume();
    await server.receives(MORE_THAN_BUFFERS + 3);
    await eventually(() => client.drains > 0, "everything is taken");
    assert.deepEqual([written, client.drains, client.stream.queued], [1, 1, 0]);
    const { bytes } = server;
    assert.deepEqual([...bytes.subarray(MORE_THAN_BUFFERS)], [1, 2, 3]);
    assert(Buffer.from(large).equals(bytes.subarray(0, MORE_THAN_BUFFERS)));
  });

  test("a copy that waits is not written over by other streams", async () => {
    await using slow = await openPair(sockets);
    await using quick = await openPair(sockets);
    let sent = 0;
    for (let taken = true; taken; sent++) {
      taken = slow.client.stream.write(new Uint8Array(60_000).fill(sent % 251));
    }
    for (let i = 0; i < 50; i++) quick.client.stream.write(new Uint8Array(60_000).fill(255));
    slow.server.stream.resume();
    await slow.server.receives(sent * 60_000);
    const { bytes } = slow.server;
    for (let at = 0; at < bytes.length; at += 500) {
      assert.equal(bytes[at], Math.floor(at / 60_000) % 251, `octet ${at}`);
    }
  });

  test("closing or resetting ends what is queued, and gives lent memory back", async () => {
    for (const how of ["close", "reset"] as const) {
      await using pair = await openPair(sockets);
      const { client } = pair;
      let written = 0;
      client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => written++);
      client.stream[how]();
      client.stream[how]();
      await eventually(() => written === 1, "the memory is given back");
      assert.equal(client.stream.closed, true);
      assert.deepEqual([client.drains, client.told], [0, []]);
      assert.equal(client.stream.write(Uint8Array.of(1)), true, "there is nobody to wait for");
      pair.server.stream.resume();
      await pair.server.isTold(how === "close" ? "end" : "read ECONNRESET");
    }
  });
}

function testEnds(sockets: Sockets, test: Test): void {
  test("each direction ends by itself, after everything before it", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.end();
    client.stream.resume();
    server.stream.resume();
    await server.isTold("end");
    assert.equal(server.length, MORE_THAN_BUFFERS);
    assert.equal(server.stream.readEnded, true);
    server.stream.write(Uint8Array.of(1));
    server.stream.end();
    await client.isTold("end");
    assert.equal(client.length, 1);
    assert.deepEqual([client.told, server.told], [["end"], ["end"]]);
  });

  test("finish() closes when what is queued has been taken, not before", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    server.stream.write(Uint8Array.of(1));
    server.stream.end();
    client.stream.resume();
    await client.isTold("end");
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.end();
    let finished = false;
    client.stream.finish(() => finished = true);
    assert.equal(finished, false);
    server.stream.resume();
    await server.isTold("end");
    assert.equal(server.length, MORE_THAN_BUFFERS);
    await eventually(() => finished, "it is finished");
    assert.equal(client.stream.closed, true);
  });

  for (const first of ["client", "server"] as const) {
    for (const read of [true, false]) {
      const condition = read ? "" : ", unread";
      test(`a FIN of the ${first} before its first octet${condition} does not end what it is sent`, async () => {
        await using pair = await openPair(sockets);
        const reader = pair[first];
        const writer = first === "client" ? pair.server : pair.client;
        reader.stream.end();
        if (read) {
          writer.stream.resume();
          await writer.isTold("end");
        }
        const sent = patterned(10 * MB);
        const names = [writer.stream.peerName(), writer.stream.localName()];
        for (let at = 0; at < sent.length; at += MB) {
          writer.stream.write(sent.subarray(at, at + MB));
        }
        assert.deepEqual([writer.stream.peerName(), writer.stream.localName()], names);
        writer.stream.end();
        await new Promise((resolve) => setTimeout(resolve, 50));
        for (let stop = MB; stop < sent.length; stop += MB) {
          reader.stream.resume();
          await reader.receives(stop);
          reader.stream.pause();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        reader.stream.resume();
        await reader.isTold("end");
        assert(Buffer.from(sent).equals(reader.bytes));
        assert.deepEqual(writer.told, read ? ["end"] : []);
        writer.stream.resume();
        await writer.isTold("end");
        assert.deepEqual(writer.told, ["end"]);
      });
    }
  }

  test("a first write that has to wait does not disturb reading", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.resume();
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.pause();
    client.stream.resume();
    server.stream.write(Uint8Array.of(1, 2, 3));
    await client.receives(3);
    assert.deepEqual([...client.bytes], [1, 2, 3]);
    server.stream.resume();
    await server.receives(MORE_THAN_BUFFERS);
    client.stream.pause();
    server.stream.write(Uint8Array.of(4));
    await others(sockets);
    assert.equal(client.length, 3);
  });

  test("what is written on hearing of a FIN before the first octet arrives whole", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const sent = patterned(10 * MB);
    const written = Promise.withResolvers<void>();
    server.stream.handler = {
      ...nothing,
      onEnd() {
        server.stream.write(sent);
        server.stream.end();
        written.resolve();
      },
    };
    server.stream.resume();
    client.stream.end();
    await withinDeadline(written.promise, "the FIN is told");
    client.stream.resume();
    await client.isTold("end");
    assert(Buffer.from(sent).equals(client.bytes));
  });

  test("after a write that failed, what the other side had sent can still be read", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    // Less than any window of a socket that has not been read: all of it is at the other side.
    server.stream.write(new Uint8Array(30_000));
    await eventually(() => server.stream.queued === 0, "the kernel has it");
    await others(sockets);
    server.stream.reset();
    await eventually(() => client.stream.isBroken(), "it is broken");
    client.stream.write(Uint8Array.of(1));
    await eventually(() => client.told.length > 0, "it is told");
    assert.match(client.told.join(), /^write E(PIPE|CONNRESET)$/);
    client.stream.resume();
    await client.receives(30_000);
  });

  test("a RST is told as one, at once when read and for the asking when paused", async () => {
    for (const paused of [false, true]) {
      await using pair = await openPair(sockets);
      const { client, server } = pair;
      client.stream.write(Uint8Array.of(1));
      server.stream.resume();
      await server.receives(1);
      if (paused) server.stream.pause();
      assert.equal(server.stream.isBroken(), false);
      client.stream.reset();
      assert.equal(client.stream.closed, true);
      if (paused) {
        await eventually(() => server.stream.isBroken(), "it is seen");
        assert.deepEqual(server.told, []);
        server.stream.resume();
      }
      await server.isTold("read ECONNRESET");
      assert.equal(server.stream.readError?.code, "ECONNRESET");
    }
  });

  test("a RST ends a write that waits", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    let written = 0;
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => written++);
    server.stream.reset();
    await eventually(() => client.told.length > 0, "it is told");
    await eventually(() => written === 1, "the memory is given back");
  });

  test("a peer that has ended both ways is not called broken", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    server.stream.end();
    client.stream.end();
    await others(sockets);
    assert.equal(server.stream.isBroken(), false);
    assert.equal(client.stream.isBroken(), false);
  });

  test("a handler that throws costs its own connection only", async () => {
    if (sockets.kind === "node") return; // There the event's emitter is node:net's own.
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const errors: StreamError[] = [];
    server.stream.handler = {
      ...nothing,
      onData() {
        throw new Error("a fault of ours");
      },
      onReadError: (error) => void errors.push(error),
    };
    server.stream.resume();
    client.stream.resume();
    client.stream.write(Uint8Array.of(1));
    await client.isTold("read ECONNRESET");
    assert.deepEqual(errors.map(({ code, message }) => [code, message]), [
      ["EHANDLER", "a fault of ours"],
    ]);
  });
}

function testConnecting(sockets: Sockets, test: Test): void {
  test("a refused connection is told with its code, after connect() has returned", async () => {
    const port = await unusedPort();
    await assert.rejects(dial(sockets, port), { code: "ECONNREFUSED" });
    await assert.rejects(dial(sockets, port, "::1"), { code: "ECONNREFUSED" });
    let told = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    sockets.connect(LOOPBACK, port, {
      onConnect: () => assert.fail("nobody listens"),
      onFailure() {
        told = true;
        resolve();
      },
    });
    assert.equal(told, false);
    await promise;
  });

  test("an attempt that is cancelled tells nothing and leaves nothing", async () => {
    const accepted: Recorder[] = [];
    const listener = await sockets.listen({ host: LOOPBACK, port: 0 }, (stream) => {
      accepted.push(new Recorder(stream));
      stream.resume();
    });
    const fail = () => assert.fail("it was cancelled");
    const dialling = sockets.connect(LOOPBACK, listener.port, {
      onConnect: fail,
      onFailure: fail,
    });
    dialling.cancel();
    dialling.cancel();
    (await dial(sockets, listener.port)).close();
    await eventually(() => accepted.length > 0, "the other one is accepted");
    await eventually(() => accepted.every(({ told }) => told.length > 0), "all have ended");
    for (const { stream } of accepted) stream.close();
    listener.close();
  });
}

function testHandOver(sockets: Sockets, test: Test): void {
  test("toSocket() hands over everything that was not read, and close and reset go on to work", async () => {
    for (const how of ["close", "reset"] as const) {
      await using pair = await openPair(sockets);
      const { client, server } = pair;
      client.stream.write(Uint8Array.of(1));
      server.stream.resume();
      await server.receives(1);
      server.stream.pause();
      client.stream.write(Uint8Array.of(2, 3));
      const socket = server.stream.toSocket();
      assert.equal(server.stream.toSocket(), socket);
      assert.equal(socket.isPaused(), true);
      socket.unshift(Uint8Array.of(1));
      const chunks: Uint8Array[] = [];
      socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      socket.resume();
      await eventually(() => Buffer.concat(chunks).length === 3, "three octets are read");
      assert.deepEqual([...Buffer.concat(chunks)], [1, 2, 3]);
      assert.equal(server.length, 1);
      client.stream.resume();
      socket.write(Uint8Array.of(4));
      await client.receives(1);
      assert.equal(server.stream.peerName()?.port, client.stream.localName()?.port);
      server.stream[how]();
      await client.isTold(how === "close" ? "end" : "read ECONNRESET");
      assert.equal(server.stream.closed, true);
    }
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

function testInheriting(sockets: Sockets, test: Test): void {
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
