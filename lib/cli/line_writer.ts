/** Log lines wait at most this long to be written together. */
const FLUSH_MS = 20;
/** What waits for a slow reader of the log; beyond it lines are dropped and counted. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
/** What is queued at the end is given this long: a stalled reader must not keep the program alive. */
const CLOSE_TIMEOUT_MS = 1000;

/** Where octets go; `Deno.stderr` is one. */
export interface ByteWriter {
  write(bytes: Uint8Array): Promise<number>;
}

const NEWLINE = 0x0a;

/** What a batch consists of: what it tells of, and its lines. */
interface Told {
  readonly dropped: number;
  readonly failed: number;
  readonly lines: number;
}

/** Settings of {@link LineWriter}. */
export interface LineWriterOptions {
  /** The line that tells of dropped ones, in the log's format. */
  readonly describeDropped: (count: number) => string;
  /** The line that tells of those that could not be written. */
  readonly describeFailed: (count: number) => string;
  /** How long closing waits for the reader. Default: 1,000 ms. */
  readonly closeTimeoutMs?: number;
}

/**
 * Writes lines in batches and never blocks: when the reader of the log does not keep up, or nothing
 * can be written, lines are lost, and the next batch that is written says how many.
 */
export class LineWriter implements AsyncDisposable {
  readonly #target: ByteWriter;
  readonly #options: LineWriterOptions;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingBytes = 0;
  /** Of batches that the reader has not taken, so a stalled one is noticed. */
  #writingBytes = 0;
  #dropped = 0;
  /** Lines that could not be written, and have not been told of. */
  #failed = 0;
  #lost = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(target: ByteWriter, options: LineWriterOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Queues a line; it must end in a newline. */
  readonly write = (line: string): void => {
    const waiting = this.#pendingBytes + this.#writingBytes;
    if (waiting + line.length > MAX_PENDING_BYTES) {
      this.#dropped++;
      this.#lost++;
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  };

  /** Lines that nobody will read, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Writes what is queued, as far as the reader takes it in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, this.#options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS);
    await Promise.race([this.#writing, late.promise]);
    clearTimeout(timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const { describeDropped, describeFailed } = this.#options;
    const lines = this.#pending;
    if (this.#dropped > 0) lines.push(describeDropped(this.#dropped));
    if (this.#failed > 0) lines.push(describeFailed(this.#failed));
    const told = { dropped: this.#dropped, failed: this.#failed, lines: lines.length };
    this.#dropped = 0;
    this.#failed = 0;
    const bytes = this.#encoder.encode(lines.join(""));
    const size = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#writingBytes += size;
    this.#writing = this.#writing.then(() => this.#writeAll(bytes, told)).then(() => {
      this.#writingBytes -= size;
    });
  }

  async #writeAll(bytes: Uint8Array, told: Told): Promise<void> {
    let at = 0;
    try {
      while (at < bytes.length) at += await this.#target.write(bytes.subarray(at));
    } catch {
      // A closed pipe, a full disk: the proxy goes on without its log, and says so when it can.
      const written = bytes.subarray(0, at).reduce(
        (sum, octet) => sum + (octet === NEWLINE ? 1 : 0),
        0,
      );
      // What this batch wanted to tell of is not told; those lines are lost already.
      const notices = (told.dropped > 0 ? 1 : 0) + (told.failed > 0 ? 1 : 0);
      const lost = Math.max(0, told.lines - written - notices);
      this.#dropped += told.dropped;
      this.#failed += told.failed + lost;
      this.#lost += lost;
    }
  }
}
