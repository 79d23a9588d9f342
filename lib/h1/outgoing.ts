import { type Fields, Output, type OutputPool } from "../http/mod.ts";
import { fieldsRoom, type HeadToWrite, writeFields, writeHead } from "./head_writer.ts";

/** Content up to this many octets is copied behind what was written before: one write for both. */
const COPY_OCTETS = 4096;
/** Room for the line before a chunk and the line end after it. */
const CHUNK_ROOM = 24;
const NOTHING = new Uint8Array(0);
const CRLF = Uint8Array.of(0x0d, 0x0a);
/** The last chunk, without trailers. */
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");

/** How the content of a message is framed on the wire. */
export type OutgoingFraming =
  /** There is none, whatever the owner gives: HEAD, 204, 304. */
  | "none"
  | "length"
  | "chunked"
  /** As it is, until the connection ends or a tunnel does. */
  | "raw";

/** What one side writes: heads, and content in the framing that each head announced. */
export class Outgoing {
  readonly #output: Output;
  readonly #sendBuffer: number;
  readonly #onOutput: () => void;
  #framing: OutgoingFraming = "none";
  /** Octets that a declared length still allows. */
  #left = 0;
  #announced = false;
  /** `sendData` asked for a pause: a drain is due. */
  paused = false;
  /** The message is written to its end. */
  ended = true;

  /** `onOutput` is called when there is output where there was none. */
  constructor(options: {
    readonly pool: OutputPool;
    readonly sendBuffer: number;
    readonly onOutput: () => void;
  }) {
    this.#output = new Output(options.pool);
    this.#sendBuffer = options.sendBuffer;
    this.#onOutput = options.onOutput;
  }

  /** Octets waiting to be taken. */
  get pending(): number {
    return this.#output.size;
  }

  /** So much waits that nothing that can be spared should be added. */
  get congested(): boolean {
    return this.#output.size >= this.#sendBuffer;
  }

  /** Only the end of the connection would end this content. */
  get endsWithConnection(): boolean {
    return this.#framing === "raw";
  }

  /** Hands over what waits. */
  take(): Uint8Array[] {
    this.#announced = false;
    return this.#output.take();
  }

  /** Asks the owner for a flush. */
  announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#onOutput();
  }

  /**
   * Writes a head by itself: an informational one, or one whose content {@link begin} announces.
   *
   * @throws {FieldError} if a field cannot be sent; nothing was written then.
   */
  head(head: HeadToWrite): void {
    writeHead(this.#output, head);
    this.announce();
  }

  /** The head of a message was written; its content follows. */
  begin(framing: OutgoingFraming, octets = 0): void {
    this.#framing = framing;
    this.#left = octets;
    this.ended = false;
  }

  /** Ready-made octets. */
  text(bytes: Uint8Array): void {
    if (bytes.length <= COPY_OCTETS) this.#copy(bytes);
    else this.#output.push(bytes);
    this.announce();
  }

  /** Whether so much content, and its end, is what the head declared. */
  fits(octets: number, end: boolean): boolean {
    if (this.#framing !== "length") return true;
    return end ? octets === this.#left : octets <= this.#left;
  }

  /** Content that {@link fits}. `false`: enough waits. */
  data(bytes: Uint8Array, end: boolean): boolean {
    if (this.#framing === "length") this.#left -= bytes.length;
    if (this.#framing !== "none" && bytes.length > 0) this.#content(bytes, end);
    else if (end && this.#framing === "chunked") this.#copy(LAST_CHUNK);
    if (end) this.ended = true;
    this.announce();
    this.paused = !end && this.congested;
    return !this.paused;
  }

  /**
   * The end with trailers; without chunks there is no place for them.
   *
   * @throws {FieldError} if a field cannot be sent; nothing was written then.
   */
  trailers(fields: Fields): void {
    if (this.#framing !== "chunked") return void this.data(NOTHING, true);
    const slab = this.#output.reserve(CHUNK_ROOM + fieldsRoom(fields));
    const { bytes } = slab;
    bytes[slab.used] = 0x30;
    bytes.set(CRLF, slab.used + 1);
    const at = writeFields(bytes, slab.used + 3, fields);
    bytes.set(CRLF, at);
    slab.used = at + 2;
    this.ended = true;
    this.announce();
  }

  #content(bytes: Uint8Array, end: boolean): void {
    const chunked = this.#framing === "chunked";
    if (chunked) this.#chunkLine(bytes.length);
    if (bytes.length <= COPY_OCTETS) this.#copy(bytes);
    else this.#output.push(bytes);
    if (chunked) this.#copy(CRLF);
    if (chunked && end) this.#copy(LAST_CHUNK);
  }

  #chunkLine(octets: number): void {
    const slab = this.#output.reserve(CHUNK_ROOM);
    const { bytes } = slab;
    const size = octets.toString(16);
    for (let i = 0; i < size.length; i++) bytes[slab.used++] = size.charCodeAt(i);
    bytes[slab.used++] = 0x0d;
    bytes[slab.used++] = 0x0a;
  }

  #copy(source: Uint8Array): void {
    const slab = this.#output.reserve(source.length);
    slab.bytes.set(source, slab.used);
    slab.used += source.length;
  }
}
