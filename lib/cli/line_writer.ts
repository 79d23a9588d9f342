/** Log lines wait at most this long to be written together. */
const FLUSH_MS = 20;
/** What waits for a slow reader of the log; beyond it lines are dropped and counted. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
/** What is queued at the end is given this long: a stalled reader must not keep the program alive. */
const CLOSE_TIMEOUT_MS = 1000;

/** Where bytes go; `Deno.stderr` is one. */
export interface ByteWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** Settings of {@link LineWriter}. */
export interface LineWriterOptions {
  /** The line that tells of dropped ones, in the log's format. */
  readonly describeDropped: (count: number) => string;
  /** How long closing waits for the reader. Default: 1,000 ms. */
  readonly closeTimeoutMs?: number;
}

/**
 * Writes lines in batches and never blocks: when the reader of the log does not keep up, lines are
 * dropped and the next batch says how many.
 */
export class LineWriter implements AsyncDisposable {
  readonly #target: ByteWriter;
  readonly #options: LineWriterOptions;
  readonly #encoder = new TextEncoder();
  #pending: string[] = [];
  #pendingBytes = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(target: ByteWriter, options: LineWriterOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Queues a line; it must end in a newline. */
  readonly write = (line: string): void => {
    if (this.#pendingBytes + line.length > MAX_PENDING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  };

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
    if (this.#dropped > 0) this.#pending.push(this.#options.describeDropped(this.#dropped));
    this.#dropped = 0;
    const bytes = this.#encoder.encode(this.#pending.join(""));
    const size = this.#pendingBytes;
    this.#pending = [];
    this.#writing = this.#writing.then(() => this.#writeAll(bytes)).then(() => {
      this.#pendingBytes -= size;
    });
    // `size` counts until it is written, so a stalled reader is noticed.
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#target.write(bytes.subarray(at));
    } catch {
      // Nobody reads the log any more (a closed pipe); the proxy goes on without it.
    }
  }
}
