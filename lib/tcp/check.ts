import { checkTls } from "./check_tls.ts";
import type { Sockets, TcpListener } from "./sockets.ts";
import { NO_HANDLER, type StreamError, type StreamHandler, type TcpStream } from "./stream.ts";

/** For the whole check, which takes a few milliseconds; a starved machine gets its time. */
const TIMEOUT_MS = 10_000;
const LOOPBACK = "127.0.0.1";
/** More than the kernel's buffers take, so that a write has to be queued. */
const LARGE_OCTETS = 16 * 1024 * 1024;

/** Every octet of a piece up to this size is looked at. */
const SMALL_OCTETS = 16;

/**
 * Shows with four connections over the loopback interface what the rest of the program relies on:
 * octets in order in both directions, writes that are queued and told of when they are taken, also
 * after a FIN that came first, a half-close, a RST that is seen as one, and TLS.
 *
 * @throws {Error} that says what was not as it should be.
 */
export async function checkContract(
  sockets: Sockets,
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  using check = new Check(timeoutMs);
  const accepted = new Queue<TcpStream>();
  const listener: TcpListener = await check.within(
    sockets.listen({ host: LOOPBACK, port: 0 }, (stream) => accepted.push(stream)),
    "listen",
  );
  check.defer(() => listener.close());
  const pair = async (): Promise<[Probe, Probe]> => {
    const client = new Probe(await check.within(connect(sockets, listener.port), "connect"));
    check.defer(() => client.stream.close());
    const server = new Probe(await check.within(accepted.shift(), "accept"));
    check.defer(() => server.stream.close());
    return [client, server];
  };
  await halfCloses(check, ...await pair());
  await queues(check, ...await pair());
  await resets(check, ...await pair());
  const within = <T>(promise: Promise<T>, step: string) => check.within(promise, step);
  await checkTls({ port: listener.port, accepted: accepted.shift(), within });
}

async function halfCloses(check: Check, client: Probe, server: Probe): Promise<void> {
  if (server.stream.peerName()?.port !== client.stream.localName()?.port) {
    throw new Error("the two ends do not name each other");
  }
  client.stream.write(Uint8Array.of(1, 2, 3));
  client.stream.end();
  await check.within(server.ended, "a FIN after three octets");
  if (server.sum !== 6) throw new Error("three octets did not arrive as they were sent");
  server.stream.write(Uint8Array.of(4, 5));
  server.stream.end();
  await check.within(client.ended, "a FIN after an answer");
  if (client.sum !== 9) throw new Error("an answer after a FIN did not arrive");
}

async function queues(check: Check, client: Probe, server: Probe): Promise<void> {
  server.stream.pause();
  server.stream.end(); // The runtime would drop what is queued after that: see `_primer.ts`.
  await check.within(client.ended, "a FIN before the first octet");
  const written = Promise.withResolvers<void>();
  const large = new Uint8Array(LARGE_OCTETS);
  if (client.stream.lend(large, written.resolve)) {
    throw new Error("a write larger than every buffer was taken at once");
  }
  client.stream.end();
  server.stream.resume();
  await check.within(written.promise, "the end of a queued write");
  await check.within(client.drained, "the end of what is queued");
  await check.within(server.ended, "a FIN after a queued write");
  if (server.octets !== LARGE_OCTETS) throw new Error("a queued write did not arrive whole");
}

async function resets(check: Check, client: Probe, server: Probe): Promise<void> {
  client.stream.write(Uint8Array.of(7));
  await check.within(server.received, "an octet");
  server.stream.pause();
  client.stream.reset();
  while (!server.stream.isBroken()) {
    await check.within(check.moment(), "a RST while paused");
  }
  server.stream.resume();
  const { code } = await check.within(server.broken, "a RST");
  if (code !== "ECONNRESET") throw new Error(`a RST is told as ${code}`);
}

function connect(sockets: Sockets, port: number): Promise<TcpStream> {
  return new Promise((onConnect, onFailure) =>
    sockets.connect(LOOPBACK, port, { onConnect, onFailure })
  );
}

/** One end of a connection that remembers what it was told. */
class Probe implements StreamHandler {
  readonly stream: TcpStream;
  octets = 0;
  /** Of the values of those that arrived in small pieces. */
  sum = 0;
  readonly #received = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #broken = Promise.withResolvers<StreamError>();

  constructor(stream: TcpStream) {
    this.stream = stream;
    stream.handler = this;
    stream.resume();
  }

  get received(): Promise<void> {
    return this.#received.promise;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  get broken(): Promise<StreamError> {
    return this.#broken.promise;
  }

  onData(bytes: Uint8Array): void {
    this.octets += bytes.length;
    for (const octet of bytes.subarray(0, SMALL_OCTETS)) this.sum += octet;
    this.#received.resolve();
  }

  onEnd(): void {
    this.#ended.resolve();
  }

  onReadError(error: StreamError): void {
    this.#broken.resolve(error);
  }

  onWriteError = NO_HANDLER.onWriteError;

  onDrain(): void {
    this.#drained.resolve();
  }
}

/** Connections that were accepted and not yet asked for. */
class Queue<T> {
  readonly #items: T[] = [];
  #waiting: ((item: T) => void) | undefined;

  push(item: T): void {
    if (this.#waiting === undefined) return void this.#items.push(item);
    this.#waiting(item);
    this.#waiting = undefined;
  }

  shift(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting = resolve);
  }
}

/** The check's deadline, and what is open until its end. */
class Check extends DisposableStack {
  readonly #expired = Promise.withResolvers<never>();
  #step = "start";

  constructor(timeoutMs: number) {
    super();
    this.#expired.promise.catch(() => {});
    const timer = setTimeout(
      () => this.#expired.reject(new Error(`not within ${timeoutMs} ms: ${this.#step}`)),
      timeoutMs,
    );
    this.defer(() => clearTimeout(timer));
  }

  /** A millisecond, or less at the end of the check. */
  moment(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, 1);
    this.defer(() => clearTimeout(timer));
    return promise;
  }

  within<T>(promise: Promise<T>, step: string): Promise<T> {
    this.#step = step;
    return Promise.race([promise, this.#expired.promise]);
  }
}
