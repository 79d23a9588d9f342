import { ErrorCode } from "./error_codes.ts";
import { FRAME_HEADER, FrameFlag, FrameType, readU32 } from "./frames.ts";

/** Takes what a `FrameReader` finds. */
export interface FrameSink {
  /** A whole frame of any type but DATA. `payload` is only valid during the call. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void;
  /** A DATA frame begins: `flow` octets count against the windows, `content` are not padding. */
  dataBegin(streamId: number, flags: number, flow: number, content: number): void;
  /** The next piece of the content of that frame; `last` with its final octet. */
  dataPiece(bytes: Uint8Array, last: boolean): void;
  /** The octets are not frames; the reader has stopped. */
  broken(code: number, reason: string): void;
}

enum State {
  head,
  payload,
  padLength,
  content,
  padding,
}

const NOTHING = new Uint8Array(0);
/** What a header block costs, in frames: decoding, checks, policies and a request behind it. */
const BLOCK_COST = 16;
/** Octets of a block that cost one more: each may stand for a field. */
const BLOCK_OCTETS = 256;

/**
 * Cuts an octet stream into frames. Whole frames inside one chunk are passed on as views; only a
 * frame that crosses chunks is copied, into one array of its length. The content of DATA is passed
 * on as it comes, so a 16 KiB frame never waits for its last octet.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrame: number;
  readonly #head = new Uint8Array(FRAME_HEADER);
  #state: State = State.head;
  /** Octets of the current part that are still to come. */
  #missing = FRAME_HEADER;
  #partial: Uint8Array = NOTHING;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  #length = 0;
  #padding = 0;
  #stopped = false;
  #frames = 0;
  /** Frames that may still be read in this call. */
  #work = 0;

  /** `maxFrame`: largest payload accepted, in octets. */
  constructor(sink: FrameSink, maxFrame: number) {
    this.#sink = sink;
    this.#maxFrame = maxFrame;
  }

  /** Frames completed so far. */
  get frames(): number {
    return this.#frames;
  }

  /** A frame has begun and is not complete; the content of DATA does not count, it may be slow. */
  get unfinished(): boolean {
    return !this.#stopped &&
      (this.#state === State.head ? this.#missing < FRAME_HEADER : this.#state !== State.content);
  }

  /** Ignores everything from here on. */
  stop(): void {
    this.#stopped = true;
    this.#partial = NOTHING;
  }

  /**
   * Reads one chunk, which may begin and end anywhere, until `work` frames were read; a header block
   * counts as many. Answers how many octets were read: the owner gives the rest again.
   */
  receive(bytes: Uint8Array, work = Infinity): number {
    let at = 0;
    this.#work = work;
    while (at < bytes.length && this.#work > 0 && !this.#stopped) at = this.#step(bytes, at);
    return this.#stopped ? bytes.length : at;
  }

  /** Handles at least one octet and answers the index after what it handled. */
  #step(bytes: Uint8Array, at: number): number {
    switch (this.#state) {
      case State.head:
        return this.#readHead(bytes, at);
      case State.payload:
        return this.#readPayload(bytes, at);
      case State.padLength:
        this.#beginData(bytes[at] as number, 1);
        return at + 1;
      case State.content:
        return this.#readContent(bytes, at);
      case State.padding: {
        const skipped = Math.min(this.#missing, bytes.length - at);
        this.#missing -= skipped;
        if (this.#missing === 0) this.#nextHead();
        return at + skipped;
      }
    }
  }

  #readHead(bytes: Uint8Array, at: number): number {
    if (this.#missing === FRAME_HEADER && bytes.length - at >= FRAME_HEADER) {
      this.#beginFrame(bytes, at);
      return at + FRAME_HEADER;
    }
    const end = Math.min(bytes.length, at + this.#missing);
    while (at < end) this.#head[FRAME_HEADER - this.#missing--] = bytes[at++] as number;
    if (this.#missing === 0) this.#beginFrame(this.#head, 0);
    return at;
  }

  #beginFrame(bytes: Uint8Array, at: number): void {
    this.#length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) |
      (bytes[at + 2] as number);
    this.#type = bytes[at + 3] as number;
    this.#flags = bytes[at + 4] as number;
    this.#streamId = readU32(bytes, at + 5) & 0x7fffffff;
    if (this.#length > this.#maxFrame) {
      return this.#break(ErrorCode.frameSizeError, "frame larger than SETTINGS_MAX_FRAME_SIZE");
    }
    if (this.#type === FrameType.data) {
      if ((this.#flags & FrameFlag.padded) === 0) return this.#beginData(0, 0);
      if (this.#length === 0) {
        return this.#break(ErrorCode.frameSizeError, "padded DATA without a pad length");
      }
      this.#state = State.padLength;
      return;
    }
    this.#state = State.payload;
    this.#missing = this.#length;
    if (this.#length === 0) this.#emit(NOTHING);
  }

  #readPayload(bytes: Uint8Array, at: number): number {
    const end = at + this.#missing;
    if (this.#partial === NOTHING && bytes.length >= end) {
      this.#emit(bytes.subarray(at, end));
      return end;
    }
    if (this.#partial === NOTHING) this.#partial = new Uint8Array(this.#length);
    const piece = bytes.subarray(at, Math.min(end, bytes.length));
    this.#partial.set(piece, this.#length - this.#missing);
    this.#missing -= piece.length;
    if (this.#missing === 0) this.#emit(this.#partial);
    return at + piece.length;
  }

  #emit(payload: Uint8Array): void {
    this.#partial = NOTHING;
    this.#nextHead();
    this.#sink.frame(this.#type, this.#flags, this.#streamId, payload);
  }

  #beginData(padding: number, overhead: number): void {
    const content = this.#length - overhead - padding;
    if (content < 0) return this.#break(ErrorCode.protocolError, "padding longer than its frame");
    this.#padding = padding;
    this.#missing = content;
    this.#state = State.content;
    this.#sink.dataBegin(this.#streamId, this.#flags, this.#length, content);
    if (content === 0) this.#endContent(NOTHING);
  }

  #readContent(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#missing);
    const piece = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
    this.#missing -= piece.length;
    if (this.#missing === 0) this.#endContent(piece);
    else this.#sink.dataPiece(piece, false);
    return end;
  }

  #endContent(piece: Uint8Array): void {
    if (this.#padding > 0) {
      this.#state = State.padding;
      this.#missing = this.#padding;
    } else {
      this.#nextHead();
    }
    this.#sink.dataPiece(piece, true);
  }

  #nextHead(): void {
    this.#frames++;
    this.#work -= this.#type === FrameType.headers || this.#type === FrameType.continuation
      ? BLOCK_COST + this.#length / BLOCK_OCTETS
      : 1;
    this.#state = State.head;
    this.#missing = FRAME_HEADER;
  }

  #break(code: number, reason: string): void {
    this.stop();
    this.#sink.broken(code, reason);
  }
}
