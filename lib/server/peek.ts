import type { Deadline, Deadlines } from "../relay/mod.ts";
import { NO_HANDLER, type StreamHandler, type TcpStream } from "../tcp/mod.ts";
import { type Decoded, NEED } from "../wire/mod.ts";

/** Room for a usual ClientHello; grows by doubling, so that one-octet segments cost no more. */
const INITIAL_CAPACITY = 2048;
const NOTHING = new Uint8Array(0);

/** Why what was peeked for did not come. */
export type PeekFailure = { readonly kind: "timeout" } | { readonly kind: "closed" };

/**
 * The first octets of a connection, read without being consumed from the stream's point of view:
 * what {@link take} returns has to be handed to whoever continues with the socket. One deadline
 * covers all of it, so a client cannot win time by sending one octet a second.
 */
export class Peek implements StreamHandler {
  readonly #stream: TcpStream;
  readonly #deadline: Deadline;
  #bytes: Uint8Array = NOTHING;
  #length = 0;
  #failure: PeekFailure | undefined;
  /** Whether who reads is satisfied now. */
  #look: (() => void) | undefined;

  constructor(stream: TcpStream, deadlines: Deadlines) {
    this.#stream = stream;
    this.#deadline = deadlines.arm(() => this.#fail({ kind: "timeout" }));
    stream.handler = this;
    stream.resume();
  }

  /**
   * Reads until `parse` is satisfied or refuses. The parser bounds how much that can be: past its
   * limit it must answer `invalid`. The octets stay; {@link consume} drops them.
   */
  read<T>(parse: (bytes: Uint8Array) => Decoded<T>): Promise<Decoded<T> | PeekFailure> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        try {
          const result = this.#length === 0 ? NEED : parse(this.#bytes.subarray(0, this.#length));
          const answer = result.kind === "need" ? this.#failure : result;
          if (answer === undefined) return;
          resolve(answer);
        } catch (error) {
          reject(error);
        }
        this.#look = undefined;
      };
      this.#look();
    });
  }

  /** Drops the first `size` octets: they were for us and not for the backend. */
  consume(size: number): void {
    this.#bytes = this.#bytes.subarray(size);
    this.#length -= size;
  }

  /** Stops reading and hands over what was read. */
  take(): Uint8Array {
    this.#stream.pause();
    this.close();
    return this.#bytes.subarray(0, this.#length);
  }

  /** Lets go of stream and deadline; calling it again does nothing. */
  close(): void {
    this.#deadline.cancel();
    if (this.#stream.handler === this) this.#stream.handler = NO_HANDLER;
  }

  /** A client that ends before it has said where to go wants nothing. */
  onEnd(): void {
    this.#fail({ kind: "closed" });
  }

  onReadError(): void {
    this.#fail({ kind: "closed" });
  }

  onWriteError(): void {}

  onDrain(): void {}

  onData(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#bytes = chunk.slice(); // The stream reads into the same memory again.
    } else {
      const needed = this.#length + chunk.length;
      if (needed > this.#bytes.length) {
        const grown = new Uint8Array(Math.max(INITIAL_CAPACITY, needed * 2));
        grown.set(this.#bytes.subarray(0, this.#length));
        this.#bytes = grown;
      }
      this.#bytes.set(chunk, this.#length);
    }
    this.#length += chunk.length;
    this.#look?.();
  }

  #fail(failure: PeekFailure): void {
    this.#failure ??= failure;
    this.#look?.();
  }
}
