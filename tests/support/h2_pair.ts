/**
 * Two sessions in memory, joined without sockets, with the cuts between chunks under the control
 * of the test.
 *
 * @module
 */
import {
  type CloseCause,
  type Fields,
  type H2Handler,
  H2Session,
  type H2Stream,
  type Limits,
  type Refusal,
  type RequestHead,
  type ResetCause,
  type ResponseHead,
} from "../../lib/h2/mod.ts";

/** Everything that happened on one stream. */
export interface Seen {
  readonly stream: H2Stream;
  request?: RequestHead;
  response?: ResponseHead;
  readonly informational: ResponseHead[];
  readonly chunks: Uint8Array[];
  trailers?: Fields;
  ended: boolean;
  reset?: ResetCause;
  drains: number;
  closedInOrder: boolean;
}

/** A handler that records, and lets a test react. */
export class Recorder implements H2Handler {
  readonly streams = new Map<number, Seen>();
  readonly refusals: Refusal[] = [];
  readonly goaways: [number, number][] = [];
  closed: CloseCause | undefined;
  readonly pongs: number[] = [];
  available = 0;
  outputs = 0;
  settings = 0;
  /** Consume content as it arrives. */
  autoConsume = true;
  /** Called with each request, after it was recorded. */
  request: (seen: Seen, endStream: boolean) => void = () => {};
  /** Called with each piece of content, after it was recorded. */
  data: (seen: Seen, bytes: Uint8Array, endStream: boolean) => void = () => {};
  drain: (seen: Seen) => void = () => {};

  seen(stream: H2Stream): Seen {
    let seen = this.streams.get(stream.id);
    if (seen === undefined) {
      seen = {
        stream,
        informational: [],
        chunks: [],
        ended: false,
        drains: 0,
        closedInOrder: false,
      };
      this.streams.set(stream.id, seen);
    }
    return seen;
  }

  onOutput(): void {
    this.outputs++;
  }
  onClose(cause: CloseCause): void {
    this.closed = cause;
  }
  onRequest(stream: H2Stream, head: RequestHead, endStream: boolean): void {
    const seen = this.seen(stream);
    seen.request = head;
    seen.ended = endStream;
    this.request(seen, endStream);
  }
  onResponse(stream: H2Stream, head: ResponseHead, endStream: boolean): void {
    const seen = this.seen(stream);
    if (head.status < 200) seen.informational.push(head);
    else seen.response = head;
    if (endStream) seen.ended = true;
  }
  onData(stream: H2Stream, bytes: Uint8Array, endStream: boolean): void {
    const seen = this.seen(stream);
    seen.chunks.push(bytes.slice());
    if (endStream) seen.ended = true;
    if (this.autoConsume) stream.consume(bytes.length);
    this.data(seen, bytes, endStream);
  }
  onTrailers(stream: H2Stream, fields: Fields): void {
    const seen = this.seen(stream);
    seen.trailers = fields;
    seen.ended = true;
  }
  onReset(stream: H2Stream, cause: ResetCause): void {
    this.seen(stream).reset = cause;
  }
  onDrain(stream: H2Stream): void {
    const seen = this.seen(stream);
    seen.drains++;
    this.drain(seen);
  }
  onEnd(stream: H2Stream): void {
    this.seen(stream).closedInOrder = true;
  }
  onSettings(): void {
    this.settings++;
  }
  onGoaway(code: number, lastStreamId: number): void {
    this.goaways.push([code, lastStreamId]);
  }
  onStreamAvailable(): void {
    this.available++;
  }
  onPong(elapsedMs: number): void {
    this.pongs.push(elapsedMs);
  }
  onRefusal(refusal: Refusal): void {
    this.refusals.push(refusal);
  }
}

/** All content seen on a stream as one array. */
export function content(seen: Seen | undefined): Uint8Array {
  const chunks = seen?.chunks ?? [];
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** How a test wants the octets between the two cut. */
export type Cut = (bytes: Uint8Array) => Iterable<Uint8Array>;

/** As they come. */
export const uncut: Cut = (bytes) => [bytes];

/** One octet at a time, each in a fresh array, as a socket would. */
export const singly: Cut = function* (bytes) {
  for (let i = 0; i < bytes.length; i++) yield bytes.slice(i, i + 1);
};

/** A client and a server session over an ideal wire. */
export class Pair {
  readonly clientSide = new Recorder();
  readonly serverSide = new Recorder();
  readonly client: H2Session;
  readonly server: H2Session;
  now = 0;
  readonly #cut: Cut;

  constructor(
    options: { cut?: Cut; clientLimits?: Limits; serverLimits?: Limits } = {},
  ) {
    this.#cut = options.cut ?? uncut;
    this.client = new H2Session({
      role: "client",
      handler: this.clientSide,
      now: 0,
      ...(options.clientLimits === undefined ? {} : { limits: options.clientLimits }),
    });
    this.server = new H2Session({
      role: "server",
      handler: this.serverSide,
      now: 0,
      ...(options.serverLimits === undefined ? {} : { limits: options.serverLimits }),
    });
  }

  /** Carries octets both ways until neither side has any. */
  run(): void {
    while (this.toServer() || this.toClient()) { /* until quiet */ }
  }

  /** Carries what the client has to the server. Answers whether there was anything. */
  toServer(): boolean {
    return this.#carry(this.client, this.server);
  }

  /** Carries what the server has to the client. */
  toClient(): boolean {
    return this.#carry(this.server, this.client);
  }

  #carry(from: H2Session, to: H2Session): boolean {
    const taken = from.takeOutput();
    for (const bytes of taken) {
      for (const piece of this.#cut(bytes)) to.receive(piece, this.now);
    }
    return taken.length > 0;
  }
}

/** A request head of the plainest kind. */
export function get(path: string, fields: Fields = []) {
  return { method: "GET", scheme: "https", authority: "example.net", path, fields };
}

/** A request head with content. */
export function post(path: string, fields: Fields = []) {
  return { ...get(path, fields), method: "POST" };
}
