/**
 * One end of a real TCP or TLS connection in a test, client or server.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { withinDeadline } from "./deadline.ts";

/**
 * How the other side stopped sending: `end` is a FIN (or a TLS close_notify), `reset` a RST.
 * `closed` means that this side destroyed the connection first.
 */
export type Ending = "end" | "reset" | "closed";

/** Errors with which a RST is reported; the second when a write met it before a read did. */
const RESET_CODES: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** Wraps a socket that was created with `allowHalfOpen`, and keeps what it received. */
export class Peer implements AsyncDisposable {
  readonly socket: Socket;
  /** Settles when the other side stopped sending, in whatever way. */
  readonly ending: Promise<Ending>;
  /** Settles when the socket is gone. */
  readonly closed: Promise<void>;
  /** An error that is not a reset, such as a TLS alert. */
  error: (Error & { code?: string }) | undefined;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #arrived = Promise.withResolvers<void>();
  #finished = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const ending = Promise.withResolvers<Ending>();
    const closed = Promise.withResolvers<void>();
    this.ending = ending.promise;
    this.closed = closed.promise;
    const finish = (how: Ending) => {
      this.#finished = true;
      this.#arrived.resolve();
      ending.resolve(how);
    };
    socket.on("error", (error: Error & { code?: string }) => {
      if (RESET_CODES.has(error.code ?? "")) return finish("reset");
      this.error = error;
    });
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#arrived.resolve();
    });
    socket.on("end", () => finish("end"));
    socket.on("close", () => {
      finish("closed");
      closed.resolve();
    });
  }

  /** Everything that arrived and was not taken by {@link read}. */
  get received(): Uint8Array {
    const joined = this.#take();
    this.#keep(joined);
    return joined;
  }

  /** {@link received} as text. */
  get text(): string {
    return new TextDecoder().decode(this.received);
  }

  /** Takes exactly `length` octets; rejects when the other side stops before that. */
  async read(length: number): Promise<Uint8Array> {
    while (this.#length < length) {
      if (this.#finished) {
        throw new Error(`read ${length} octets: got ${this.#length}, then ${await this.ending}`);
      }
      this.#arrived = Promise.withResolvers();
      await withinDeadline(this.#arrived.promise, `read ${length} octets`);
    }
    const all = this.#take();
    this.#keep(all.subarray(length));
    return all.subarray(0, length);
  }

  /** {@link read} as text. */
  async readText(length: number): Promise<string> {
    return new TextDecoder().decode(await this.read(length));
  }

  /** What is left until the other side stops, and how it stopped. */
  async readToEnd(): Promise<{ bytes: Uint8Array; text: string; ending: Ending }> {
    const ending = await withinDeadline(this.ending, "the other side stops sending");
    const bytes = this.#take();
    return { bytes, text: new TextDecoder().decode(bytes), ending };
  }

  /** Length and SHA-256 of what is left until the other side stops, without keeping it. */
  async digestToEnd(ms?: number): Promise<{ length: number; sha256: string; ending: Ending }> {
    const hash = createHash("sha256");
    let length = 0;
    const add = (chunk: Uint8Array) => {
      hash.update(chunk);
      length += chunk.length;
    };
    add(this.#take());
    this.socket.removeAllListeners("data").on("data", add);
    const ending = await withinDeadline(this.ending, "the other side stops sending", ms);
    return { length, sha256: hash.digest("hex"), ending };
  }

  /** Sends and waits until the socket has taken it, which is where back-pressure shows. */
  async write(data: Uint8Array | string): Promise<void> {
    if (!this.socket.write(data)) await once(this.socket, "drain");
  }

  /** Sends a FIN; the other direction stays open. */
  end(data?: Uint8Array | string): void {
    if (data === undefined) this.socket.end();
    else this.socket.end(data);
  }

  /** Sends a RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await withinDeadline(this.closed, "the socket closes");
  }

  #take(): Uint8Array {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return joined;
  }

  #keep(bytes: Uint8Array): void {
    this.#chunks = [bytes];
    this.#length = bytes.length;
  }
}
