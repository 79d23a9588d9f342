import type { OutcomeName } from "../observe/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import type { DownstreamCodec, DownstreamConnection } from "./downstream_connection.ts";
import type { BackendUse } from "./exchange_record.ts";
import type { L7Connection } from "./l7_connection.ts";

/** How a connection ended. */
export interface L7Ending {
  readonly outcome: OutcomeName;
  readonly reason?: string;
}

/** One connection: what is known of it, and the handles to end it. */
export class L7Session {
  readonly connection: L7Connection;
  readonly ended: Promise<L7Ending>;
  readonly #stream: TcpStream;
  readonly #end: (ending: L7Ending) => void;
  #secure: TcpStream | undefined;
  #client: DownstreamConnection | undefined;
  #codec: DownstreamCodec | undefined;
  #draining = false;
  #over = false;
  #reason: string | undefined;
  /** Requests that were turned away before they became one, and why the first was. */
  #refusals = 0;
  #refusal = "";

  constructor(connection: L7Connection, stream: TcpStream) {
    this.connection = connection;
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<L7Ending>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Octets from the client and to it, inside of TLS: heads, frames and content. */
  get bytesIn(): number {
    return this.#codec?.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#codec?.bytesOut ?? 0;
  }

  /** Takes no more requests; the connection ends when those that are open are answered. */
  shutdown(): void {
    this.#draining = true;
    this.#codec?.shutdown();
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#client?.close("cut off");
    this.reset();
    this.end({ outcome: "client_reset" });
  }

  /** Whether a request that is open is at this backend. */
  usesBackend(backend: BackendUse): boolean {
    return this.#client?.usesBackend(backend) === true;
  }

  /** Ends the requests that are at this backend. */
  cutBackend(backend: BackendUse): void {
    this.#client?.cutBackend(backend);
  }

  /** The handshake is done and the codec speaks. */
  open(secure: TcpStream, client: DownstreamConnection, codec: DownstreamCodec): void {
    this.#secure = secure;
    this.#client = client;
    this.#codec = codec;
    if (this.#draining) codec.shutdown();
    if (secure.closed) this.gone();
  }

  tick(now: number, idleMs: number): void {
    this.#codec?.tick(now, idleMs);
  }

  /** The codec is closing the connection, within a time of its own. */
  closing(reason: string | undefined): void {
    this.#reason ??= reason;
  }

  /** A request was turned away by the rules of its protocol; without this nobody would hear of it. */
  refused(reason: string): void {
    if (this.#refusals++ === 0) this.#refusal = reason;
  }

  /** Closes the connection without a word: its last message is cut, and must not look whole. */
  reset(): void {
    (this.#secure ?? this.#stream).reset();
    // Not now: the exchange that asks for it has yet to say what it ended of.
    queueMicrotask(() => this.gone());
  }

  /** The connection is closed; with the error that it broke off with. */
  gone(error?: StreamError): void {
    if (error?.code === "ECONNRESET") this.#reason = "the client reset the connection";
    this.end({ outcome: "relayed" });
  }

  /** Something that must not happen did; nobody is left waiting for it. */
  fail(error: unknown): void {
    (this.#secure ?? this.#stream).reset();
    this.end({ outcome: "internal_error", reason: String(error) });
  }

  /** The connection is over. */
  end(ending: L7Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.#client?.close("the connection ended");
    const reason = ending.reason ?? this.#reason ?? this.#refusalReason();
    this.#end({ outcome: ending.outcome, ...reason !== undefined && { reason } });
  }

  #refusalReason(): string | undefined {
    if (this.#refusals === 0) return undefined;
    const requests = this.#refusals === 1 ? "a request" : `${this.#refusals} requests`;
    return `refused ${requests}: ${this.#refusal}`;
  }
}
