/**
 * What a stream with TLS has to do, on the runtime's handles or over `node:tls`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import {
  createSockets,
  NO_HANDLER,
  type SocketsKind,
  type StreamError,
  type StreamHandler,
  type TcpStream,
} from "../../lib/tcp/mod.ts";
import { Handshakes, type SecureStream, StreamAcceptor } from "../../lib/tls/mod.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";

const HOST = "a.test";
const LOOPBACK = "127.0.0.1";
const LARGE = 8 * 1024 * 1024;
const identity = await createServerIdentity(HOST);

/** Keeps what it is told. */
class Owner implements StreamHandler {
  octets = 0;
  told: string[] = [];
  drains = 0;
  readonly chunks: Uint8Array[] = [];

  get text(): string {
    return new TextDecoder().decode(Buffer.concat(this.chunks));
  }

  onData(bytes: Uint8Array): void {
    this.octets += bytes.length;
    this.chunks.push(bytes.slice());
  }

  onEnd(): void {
    this.told.push("end");
  }

  onReadError({ code }: StreamError): void {
    this.told.push(`read ${code}`);
  }

  onWriteError(): void {
    this.told.push("write");
  }

  onDrain(): void {
    this.drains++;
  }
}

/** A client's TLS connection, and the stream that ends it. */
class Pair implements Disposable {
  readonly tcp: Socket;
  readonly client: TLSSocket;
  readonly received: Uint8Array[] = [];
  /** How the connection ended for the client. */
  ending: string | undefined;
  readonly below: TcpStream;
  readonly result: Promise<SecureStream>;
  readonly #close: () => void;

  constructor(tcp: Socket, client: TLSSocket, options: {
    readonly below: TcpStream;
    readonly result: Promise<SecureStream>;
    readonly close: () => void;
  }) {
    this.tcp = tcp;
    this.client = client;
    this.below = options.below;
    this.result = options.result;
    this.#close = options.close;
    // Below its TLS, which calls every end one.
    tcp.on("error", (error: NodeJS.ErrnoException) => this.ending ??= error.code ?? "error");
    client.on("error", () => {});
    client.on("data", (bytes: Uint8Array) => this.received.push(bytes));
    client.once("end", () => this.ending ??= "end");
  }

  get octets(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }

  async secure(): Promise<{ stream: TcpStream; owner: Owner; alpn: string | undefined }> {
    const result = await withinDeadline(this.result, "the handshake");
    assert.ok(result.ok, JSON.stringify(result));
    const owner = new Owner();
    result.stream.handler = owner;
    return { stream: result.stream, owner, alpn: result.alpn };
  }

  [Symbol.dispose](): void {
    this.client.destroy();
    this.tcp.destroy();
    this.below.close();
    this.#close();
  }
}

async function openPair(kind: SocketsKind, first = ""): Promise<Pair> {
  const { certPem, keyPem } = identity;
  const acceptor = new StreamAcceptor({ certPem, keyPem, alpn: ["one", "two"] });
  const accepted = Promise.withResolvers<{ below: TcpStream; result: Promise<SecureStream> }>();
  const handshakes = new Handshakes();
  const listener = await createSockets(kind).listen({ host: LOOPBACK, port: 0 }, (below) => {
    below.handler = {
      ...NO_HANDLER,
      onData(bytes) {
        below.pause();
        const result = acceptor.accept(below, bytes.slice(), { handshakes, source: "x" });
        accepted.resolve({ below, result });
      },
    };
    below.resume();
  });
  const tcp = createConnection({ host: LOOPBACK, port: listener.port });
  const options = { socket: duplexOf(tcp), servername: HOST, rejectUnauthorized: false };
  const client = connect({ ...options, ALPNProtocols: ["two", "three"] });
  if (first !== "") client.once("secureConnect", () => client.write(first));
  const { below, result } = await withinDeadline(accepted.promise, "the hello");
  return new Pair(tcp, client, { below, result, close: () => listener.close() });
}

/** Others' octets go there and back: what befell a stream before would have been told by now. */
async function others(kind: SocketsKind): Promise<void> {
  using pair = await openPair(kind);
  const { stream, owner } = await pair.secure();
  stream.resume();
  pair.client.write("x");
  await eventually(() => owner.octets === 1, "an octet");
  stream.write(Uint8Array.of(1));
  await eventually(() => pair.octets === 1, "an answer");
}

/** For TLS on a socket that goes on to tell what befalls it. */
function duplexOf(tcp: Socket): Duplex {
  const duplex: Duplex = new Duplex({
    read: () => void tcp.resume(),
    write: (bytes, _encoding, done) => void tcp.write(bytes, () => done()),
    final: (done) => void tcp.end(() => done()),
  });
  tcp.on("data", (bytes) => duplex.push(bytes) || tcp.pause());
  tcp.once("end", () => duplex.push(null));
  tcp.once("close", () => duplex.destroy());
  return duplex;
}

/** Registers the suite for one kind of sockets. */
export function testSecureStreams(kind: SocketsKind): void {
  const test = (name: string, fn: () => Promise<void>) => Deno.test(`${kind}, TLS: ${name}`, fn);

  test("octets go both ways after a handshake that agrees on a protocol", async () => {
    using pair = await openPair(kind, "first");
    const { stream, owner, alpn } = await pair.secure();
    assert.equal(alpn, "two");
    stream.resume();
    await eventually(() => owner.text === "first", "what came with the handshake is told");
    stream.write(new TextEncoder().encode("second"));
    await eventually(() => pair.octets === 6, "an answer arrives");
    assert.equal(Buffer.concat(pair.received).toString(), "second");
  });

  test("nothing is told before it is resumed, and nothing of it is lost", async () => {
    using pair = await openPair(kind, "first");
    const { stream, owner } = await pair.secure();
    await others(kind);
    pair.client.write(" second");
    await others(kind);
    assert.equal(owner.octets, 0);
    stream.resume();
    await eventually(() => owner.text === "first second", "all of it is told, in order");
  });

  test("a write of any length arrives as it is, and is counted until it is taken", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    const large = Uint8Array.from({ length: LARGE }, (_, i) => (i ^ (i >> 8) ^ (i >> 16)) & 255);
    pair.client.pause();
    stream.write(large);
    stream.write(large.subarray(0, 10));
    const before = large.slice();
    large.fill(0); // It was copied.
    assert.ok(stream.queued >= LARGE && stream.full);
    pair.client.resume();
    await eventually(() => pair.octets === LARGE + 10, "all of it arrives");
    assert.equal(
      Buffer.concat(pair.received).compare(Buffer.concat([before, before.slice(0, 10)])),
      0,
    );
    await eventually(() => stream.queued === 0 && !stream.full, "nothing is queued any more");
    assert.ok(owner.drains > 0);
  });

  test("a stream that is paused holds its client back", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    pair.client.write("x");
    await eventually(() => owner.octets === 1, "an octet");
    stream.pause();
    let taken = 0;
    const piece = new Uint8Array(256 * 1024);
    const pour = () => {
      taken += piece.length;
      if (taken < 64 * 1024 * 1024) pair.client.write(piece, pour);
    };
    pour();
    let last = -1;
    await eventually(async () => {
      const same = taken === last;
      last = taken;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return same;
    }, "the client is held back");
    assert.ok(taken < 32 * 1024 * 1024, `${taken} octets were taken`);
    assert.ok(owner.octets < 512 * 1024, `${owner.octets} octets were told`);
    stream.resume();
    await eventually(() => owner.octets > taken - piece.length, "it is read again");
  });

  test("each side's end is told after everything before it", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    pair.client.end("last words");
    await eventually(() => owner.told.includes("end"), "the client's end is told");
    assert.equal(owner.text, "last words");
    stream.write(new Uint8Array(300_000));
    stream.end();
    await eventually(() => pair.ending !== undefined, "our end is told");
    assert.deepEqual([pair.ending, pair.octets], ["end", 300_000]);
    const finished = Promise.withResolvers<void>();
    stream.finish(finished.resolve);
    await withinDeadline(finished.promise, "the stream is finished");
    assert.ok(stream.closed);
  });

  test("a RST is one to the other side", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    stream.reset();
    await eventually(() => pair.ending !== undefined, "the client sees it");
    assert.equal(pair.ending, "ECONNRESET");
    assert.ok(stream.closed && pair.below.closed);
    assert.deepEqual(owner.told, []);
  });

  test("a client's RST ends reading with an error or an end, once", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    pair.client.write("x");
    await eventually(() => owner.octets === 1, "an octet");
    pair.tcp.resetAndDestroy();
    await eventually(() => owner.told.length > 0, "it is told");
    await others(kind);
    assert.equal(owner.told.filter((one) => one !== "write").length, 1, owner.told.join());
    if (kind === "handles") assert.deepEqual(owner.told, ["read ECONNRESET"]);
  });

  test("a RST is seen while paused by who asks", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    pair.client.write("x");
    await eventually(() => owner.octets === 1, "an octet");
    stream.pause();
    assert.equal(stream.isBroken(), false);
    pair.tcp.resetAndDestroy();
    await eventually(() => stream.isBroken(), "it is seen");
  });

  test("a record that is broken ends the connection and nothing of it is told", async () => {
    using pair = await openPair(kind);
    const { stream, owner } = await pair.secure();
    stream.resume();
    pair.client.write("x");
    await eventually(() => owner.octets === 1, "an octet");
    // Application data that nobody has encrypted, below the client's TLS.
    pair.tcp.write(Uint8Array.of(23, 3, 3, 0, 32, ...new Uint8Array(32)));
    await eventually(() => owner.told.length > 0, "it is told");
    assert.equal(owner.octets, 1);
    assert.ok(owner.told[0]?.startsWith("read "), owner.told.join());
  });

  test("an owner that throws costs his connection and no other", async () => {
    using pair = await openPair(kind);
    if (kind === "node") return; // There it ends with its process, as any listener of Node's.
    const { stream, owner } = await pair.secure();
    owner.onData = () => {
      throw new Error("a mistake");
    };
    stream.resume();
    pair.client.write("x");
    await eventually(() => pair.ending !== undefined, "the client is cut off");
    assert.equal(pair.ending, "ECONNRESET");
    assert.deepEqual(owner.told, ["read EHANDLER"]);
  });

  test("what is no TLS fails the handshake, and an end in its middle leaves nobody waiting", async () => {
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", ""]) {
      using pair = await openPair(kind);
      pair.client.destroy();
      pair.tcp.end(bytes);
      const result = await withinDeadline(pair.result, "the end of the handshake");
      if (result.ok) continue; // The client's last flight was quicker.
      assert.ok(["tls_failed", "client_gone"].includes(result.outcome), result.outcome);
    }
  });
}
