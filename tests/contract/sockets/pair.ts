/**
 * Both ends of one connection over the sockets that are tested, and what they are told.
 *
 * @module
 */
import type {
  Sockets,
  StreamError,
  StreamHandler,
  TcpListener,
  TcpStream,
} from "../../../lib/tcp/mod.ts";
import { eventually, withinDeadline } from "../../support/deadline.ts";

export const LOOPBACK = "127.0.0.1";

export const MB = 1024 * 1024;

/** More than all of the kernel's buffers on the way. */
export const MORE_THAN_BUFFERS = 24 * MB;

export type Test = (name: string, fn: () => Promise<void>) => void;

/** Keeps what it is told, copied, as owners have to. */
export class Recorder implements StreamHandler {
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

export const nothing: StreamHandler = {
  onData() {},
  onEnd() {},
  onReadError() {},
  onWriteError() {},
  onDrain() {},
};

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

export function dial(sockets: Sockets, port: number, address = LOOPBACK): Promise<TcpStream> {
  const { promise, resolve: onConnect, reject: onFailure } = Promise.withResolvers<TcpStream>();
  sockets.connect(address, port, { onConnect, onFailure });
  return withinDeadline(promise, "connect");
}

export async function openPair(sockets: Sockets, options?: { keeps: boolean }): Promise<Pair> {
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
export async function others(sockets: Sockets): Promise<void> {
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

export function patterned(length: number): Uint8Array {
  const words = new Uint32Array(length / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    words[i] = state = (state * 1664525 + 1013904223) >>> 0;
  }
  return new Uint8Array(words.buffer);
}
