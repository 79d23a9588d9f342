import type { Fields } from "../http/mod.ts";
import { FieldLines } from "./field_lines.ts";
import type { H1Limits } from "./limits.ts";
import type { LineReader } from "./line_reader.ts";
import { allowedTrailers, framesAgain } from "./trailers.ts";

/** Where a message's content ends (RFC 9112 §6.3). */
export type Framing =
  | { readonly kind: "length"; readonly octets: number }
  | { readonly kind: "chunked"; readonly announced: ReadonlySet<string> }
  | { readonly kind: "close" };

/** Takes what a {@link BodyReader} reads. */
export interface BodySink {
  /** Content; never empty unless it ends with it. */
  content(bytes: Uint8Array, end: boolean): void;
  /** The end, with trailers. */
  trailers(fields: Fields): void;
  /** The content broke a rule; nothing after it can be found. */
  broken(reason: string): void;
}

const State = Object.freeze({
  ended: 0,
  length: 1,
  close: 2,
  chunkSize: 3,
  chunkData: 4,
  chunkCr: 5,
  chunkLf: 6,
  trailers: 7,
});

/** 13 hexadecimal digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;
/** What a chunk's line costs in any case: size, CR LF, and the CR LF after the content. */
const FREE_OVERHEAD = 16;

/**
 * Chunks of fewer octets than this are gathered with their neighbours of the same piece: content in
 * chunks of one octet kept a thread for half a second per 64 KiB when each went on by itself.
 */
const SMALL_CHUNK = 256;

const NOTHING = new Uint8Array(0);

/** Reads the content of one message after the other. */
export class BodyReader {
  readonly #limits: H1Limits;
  readonly #lines: LineReader;
  readonly #sink: BodySink;
  readonly #isRequest: boolean;
  #state: number = State.ended;
  /** Octets of the body or of the chunk that have not come. */
  #left = 0;
  #overhead = 0;
  #trailerOctets = 0;
  #announced: ReadonlySet<string> = new Set();
  #trailers: FieldLines | undefined;
  /** Content of small chunks of the piece that is being read. */
  #gathered: Uint8Array | undefined;
  #gatheredOctets = 0;

  /** A client's chunk sizes may not be followed by spaces, a backend's may (old servers pad). */
  constructor(sink: BodySink, options: {
    readonly limits: H1Limits;
    readonly lines: LineReader;
    readonly isRequest: boolean;
  }) {
    this.#sink = sink;
    this.#limits = options.limits;
    this.#lines = options.lines;
    this.#isRequest = options.isRequest;
  }

  /** The message is complete. */
  get ended(): boolean {
    return this.#state === State.ended;
  }

  /** The content goes on until the connection ends. */
  get untilClose(): boolean {
    return this.#state === State.close;
  }

  /** Starts with the next message, which has content. */
  begin(framing: Framing): void {
    this.#overhead = 0;
    this.#trailerOctets = 0;
    this.#trailers = undefined;
    switch (framing.kind) {
      case "length":
        this.#left = framing.octets;
        this.#state = framing.octets === 0 ? State.ended : State.length;
        return;
      case "chunked":
        this.#announced = framing.announced;
        this.#state = State.chunkSize;
        return;
      case "close":
        this.#state = State.close;
    }
  }

  /** Reads nothing more. */
  stop(): void {
    this.#state = State.ended;
  }

  /** Reads on from `at`; answers the index after what belongs to the message. */
  read(piece: Uint8Array, at: number): number {
    while (at < piece.length && this.#state !== State.ended) {
      switch (this.#state) {
        case State.close:
          this.#sink.content(at === 0 ? piece : piece.subarray(at), false);
          return piece.length;
        case State.length:
        case State.chunkData:
          at = this.#content(piece, at);
          break;
        case State.chunkCr:
        case State.chunkLf:
          at = this.#chunkEnd(piece, at);
          break;
        case State.chunkSize:
          at = this.#chunkSize(piece, at);
          break;
        default:
          at = this.#trailerLine(piece, at);
      }
    }
    this.#giveGathered();
    return at;
  }

  #content(piece: Uint8Array, at: number): number {
    const end = Math.min(piece.length, at + this.#left);
    this.#left -= end - at;
    const last = this.#left === 0;
    const ends = last && this.#state === State.length;
    const isSmallChunk = this.#state === State.chunkData && end - at < SMALL_CHUNK;
    if (last) this.#state = ends ? State.ended : State.chunkCr;
    if (isSmallChunk) {
      this.#gather(piece, at, end);
      return end;
    }
    this.#giveGathered();
    this.#sink.content(at === 0 && end === piece.length ? piece : piece.subarray(at, end), ends);
    return end;
  }

  #gather(piece: Uint8Array, at: number, end: number): void {
    // Nothing of this piece that comes later can be longer.
    const gathered = this.#gathered ??= new Uint8Array(piece.length - at);
    for (let i = at; i < end; i++) gathered[this.#gatheredOctets++] = piece[i] as number;
  }

  #giveGathered(): void {
    const [gathered, octets] = [this.#gathered, this.#gatheredOctets];
    if (gathered === undefined) return;
    this.#gathered = undefined;
    this.#gatheredOctets = 0;
    // A few octets do not keep the room for many.
    const isMostlyUsed = octets > gathered.length / 2;
    this.#sink.content(
      isMostlyUsed ? gathered.subarray(0, octets) : gathered.slice(0, octets),
      false,
    );
  }

  #chunkEnd(piece: Uint8Array, at: number): number {
    const isCr = this.#state === State.chunkCr;
    if (piece[at] !== (isCr ? 0x0d : 0x0a)) {
      this.#broken("no line end after a chunk");
      return at;
    }
    this.#state = isCr ? State.chunkLf : State.chunkSize;
    return at + 1;
  }

  #chunkSize(piece: Uint8Array, at: number): number {
    const lines = this.#lines;
    const before = lines.pending;
    const result = lines.read(piece, at, this.#limits.maxChunkLine);
    const { next } = lines;
    if (result === "need") return next;
    if (result !== "line") {
      this.#broken(result === "too-long" ? "a chunk's line is too long" : "a bare line feed");
      return next;
    }
    const size = parseChunkSize(lines, this.#isRequest);
    if (size < 0) {
      this.#broken("an invalid chunk size");
      return next;
    }
    this.#overhead += Math.max(0, before + next - at - FREE_OVERHEAD - size);
    if (this.#overhead > this.#limits.maxChunkOverhead) {
      this.#broken("more chunk extensions than content");
      return next;
    }
    this.#left = size;
    this.#state = size === 0 ? State.trailers : State.chunkData;
    return next;
  }

  #trailerLine(piece: Uint8Array, at: number): number {
    const lines = this.#lines;
    const before = lines.pending;
    const result = lines.read(piece, at, this.#limits.maxTrailers - this.#trailerOctets);
    const { next } = lines;
    if (result === "need") return next;
    if (result !== "line") {
      this.#broken(result === "too-long" ? "the trailers are too large" : "a bare line feed");
      return next;
    }
    this.#trailerOctets += before + next - at;
    const { bytes, start, end } = lines;
    if (start === end) this.#endWithTrailers();
    else if (!this.#trailerFields().line(bytes, start, end)) this.#broken("an invalid trailer");
    return next;
  }

  #trailerFields(): FieldLines {
    if (this.#trailers === undefined) {
      this.#trailers = new FieldLines(this.#isRequest ? "request" : "response");
      this.#trailers.begin();
    }
    return this.#trailers;
  }

  #endWithTrailers(): void {
    const trailers = this.#trailers;
    if (trailers !== undefined && framesAgain(trailers)) {
      return this.#broken("a framing field in trailers");
    }
    this.#giveGathered();
    this.#state = State.ended;
    const fields = trailers === undefined ? [] : allowedTrailers(trailers, this.#announced);
    if (fields.length > 0) this.#sink.trailers(fields);
    else this.#sink.content(NOTHING, true);
  }

  #broken(reason: string): void {
    this.#giveGathered();
    this.#state = State.ended;
    this.#sink.broken(reason);
  }
}

/**
 * `chunk-size [chunk-ext]` (RFC 9112 §7.1): hexadecimal digits and nothing before them. Extensions
 * are dropped unread, but a control in one is an attack on somebody behind us. Answers -1 if it is
 * no size.
 */
function parseChunkSize(
  { bytes, start, end }: Pick<LineReader, "bytes" | "start" | "end">,
  strict: boolean,
): number {
  let size = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = hexDigit(bytes[at] as number);
    if (digit < 0) break;
    if (at - start >= MAX_SIZE_DIGITS) return -1;
    size = 16 * size + digit;
  }
  if (at === start) return -1;
  const afterDigits = at;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  if (at === end) return strict && at > afterDigits ? -1 : size;
  if (bytes[at] !== 0x3b) return -1;
  for (; at < end; at++) {
    const octet = bytes[at] as number;
    if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f) return -1;
  }
  return size;
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
