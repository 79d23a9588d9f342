import { AcmeTlsError, answerChallenge, type ChallengeStream } from "../acme_tls/mod.ts";
import type { TlsProofSnapshot } from "../plane/mod.ts";
import { NO_HANDLER, type StreamHandler, type TcpStream } from "../tcp/mod.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";

/** More than this is not said between a ClientHello and its end, in octets. */
const MAX_INPUT = 128 * 1024;

/** Proves a name: one handshake, and the end. */
export async function serveChallenge(
  c: Connection,
  { peeked, challenge, state }: {
    readonly peeked: Uint8Array;
    readonly challenge: TlsProofSnapshot;
    readonly state: PlaneState;
  },
): Promise<Ending> {
  using input = new ChallengeInput(c.stream, state);
  try {
    const { certificate, key: pkcs8 } = challenge;
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const octets = new Uint8Array(pkcs8);
    const key = await crypto.subtle.importKey("pkcs8", octets, algorithm, false, ["sign"]);
    await answerChallenge(peeked, { certificate, key, stream: input });
    c.stream.end();
    await input.end();
    return { outcome: "acme_proved" };
  } catch (error) {
    if (!(error instanceof AcmeTlsError)) throw error;
    return { outcome: "acme_failed", reason: input.problem ?? error.message };
  }
}

/** The connection as the handshake reads it, under one deadline. */
class ChallengeInput implements StreamHandler, ChallengeStream, Disposable {
  readonly #stream: TcpStream;
  readonly #deadline: Disposable;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  /** Why there is no more, if it is not what the client wanted. */
  problem: string | undefined;

  constructor(stream: TcpStream, state: PlaneState) {
    this.#stream = stream;
    const deadline = state.peekDeadlines.arm(() => this.#fail("not finished in time"));
    this.#deadline = { [Symbol.dispose]: () => deadline.cancel() };
    stream.handler = this;
    this.#ended = stream.readEnded || stream.readError !== undefined;
    stream.resume();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#chunks.shift();
  }

  write(octets: Uint8Array): void {
    if (!this.#stream.closed) this.#stream.write(octets);
  }

  /** Waits until the client has ended too. What it says meanwhile is dropped. */
  async end(): Promise<void> {
    while (!this.#ended) {
      this.#chunks.length = 0;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.problem !== undefined || this.#stream.closed) return;
    await new Promise<void>((resolve) => this.#stream.finish(resolve));
  }

  onData(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > MAX_INPUT) return this.#fail("too much was sent");
    this.#chunks.push(chunk.slice());
    this.#wakeUp();
  }

  onEnd(): void {
    this.#ended = true;
    this.#wakeUp();
  }

  onReadError(): void {
    this.#fail("the client broke off");
  }

  onWriteError(): void {
    this.#fail("the client broke off");
  }

  onDrain(): void {}

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
    if (this.#stream.handler === this) this.#stream.handler = NO_HANDLER;
  }

  #fail(problem: string): void {
    this.problem ??= problem;
    this.#ended = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
