import http2, { type ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { RequestInit } from "../h2/mod.ts";
import { describeError } from "../observe/mod.ts";
import { type LinkEvents, Liveness } from "../upstream/mod.ts";
import type { BackendConnection, BackendStream, ResponseHandler } from "./message.ts";
import { NodeH2Stream } from "./node_h2_stream.ts";

/** The same windows as lib/h2's limits for backends, in octets. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 32 * 1024 * 1024;

/** What a {@link NodeH2Backend} is made with. */
export interface NodeH2Options {
  readonly events: LinkEvents;
  readonly now: () => number;
  /** Largest head of a response, in octets as SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
  readonly maxHead: number;
}

/** A backend connection framed by `node:http2`. */
export class NodeH2Backend implements BackendConnection {
  readonly protocol = "h2";
  readonly settled = true;
  readonly #events: LinkEvents;
  readonly #session: ClientHttp2Session;
  readonly #now: () => number;
  readonly #maxHead: number;
  readonly #liveness: Liveness;
  #greeted = false;
  #closed = false;
  #draining = false;
  #streams = 0;
  #full = false;
  #byUs = false;
  #reason = "the backend closed the connection";

  constructor(socket: Socket, { events, now, maxHead }: NodeH2Options) {
    this.#events = events;
    this.#now = now;
    this.#maxHead = maxHead;
    this.#liveness = new Liveness(now());
    const session = http2.connect("http://backend", {
      createConnection: () => socket,
      // Told of the largest head, the runtime ends streams as if they had never been answered.
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    this.#session = session;
    session.on("error", (error) => this.#reason = describeError(error));
    session.on("goaway", () => {
      this.#draining = true;
      // The session's heap does not survive being closed inside this event (Deno 2.9.6).
      setTimeout(() => events.onDraining(), 0);
    });
    session.on("close", () => this.#close());
    session.on("remoteSettings", () => {
      this.#liveness.heard(this.#now());
      if (this.#greeted) return;
      this.#greeted = true;
      events.onGreeted();
    });
    session.setLocalWindowSize(CONNECTION_WINDOW);
  }

  get greeted(): boolean {
    return this.#greeted && !this.#closed;
  }

  get capacity(): number {
    return this.#session.remoteSettings?.maxConcurrentStreams ?? Infinity;
  }

  get available(): boolean {
    const open = !this.#closed && !this.#draining && !this.#session.closed &&
      this.#streams < this.capacity;
    if (!open) this.#full = true;
    return open;
  }

  get takesTunnels(): boolean {
    return this.#session.remoteSettings?.enableConnectProtocol === true;
  }

  request(head: RequestInit, endStream: boolean, handler: ResponseHandler): BackendStream {
    const block = [":method", head.method, ":scheme", head.scheme, ":authority", head.authority];
    block.push(":path", head.path);
    if (head.protocol !== undefined && head.protocol !== "") block.push(":protocol", head.protocol);
    block.push(...head.fields);
    // The array form keeps order and duplicates, and no field name meets an object's prototype.
    const stream = this.#session.request(block as unknown as http2.OutgoingHttpHeaders, {
      endStream,
      waitForTrailers: !endStream,
    });
    this.#streams++;
    this.#liveness.begin(this.#now());
    stream.once("close", () => this.#streamClosed());
    return new NodeH2Stream(stream, handler, {
      touched: () => this.#liveness.heard(this.#now()),
      maxHead: this.#maxHead,
    });
  }

  tick(now: number): void {
    if (this.#closed) return;
    const verdict = this.#liveness.check(now, this.#streams > 0);
    if (verdict === "ask") this.#session.ping(() => this.#liveness.heard(this.#now()));
    if (verdict === "dead") this.#end("no answer to PING");
  }

  shutdown(): void {
    this.#draining = this.#byUs = true;
    this.#session.close();
  }

  destroy(reason: string): void {
    this.#byUs = true;
    this.#end(reason);
  }

  #end(reason: string): void {
    this.#reason = reason;
    this.#session.destroy();
  }

  #streamClosed(): void {
    this.#streams--;
    if (!this.#full || !this.available) return;
    this.#full = false;
    this.#events.onAvailable();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.onClosed({ reason: this.#reason, heard: "nothing", byUs: this.#byUs });
  }
}
