import type { Heard, HttpProtocol, Offer } from "./link.ts";

/** What a backend is said to speak; `auto`: find out which HTTP. */
export type Expectation = HttpProtocol | "auto";

/**
 * What a backend is believed to speak. Over TLS each handshake tells (ALPN); over plain TCP the
 * pool greets in HTTP/2 and looks at the answer. A belief that turns out wrong is forgotten: the
 * backend may have been replaced.
 */
export class Knowledge {
  readonly #expectation: Expectation;
  readonly #overTls: boolean;
  #speaks: HttpProtocol | undefined;

  constructor(expectation: Expectation, overTls: boolean) {
    this.#expectation = expectation;
    this.#overTls = overTls;
    if (expectation !== "auto") this.#speaks = expectation;
  }

  /** Undefined: nobody knows. */
  get speaks(): HttpProtocol | undefined {
    return this.#speaks;
  }

  /** A greeting in HTTP/2 may be answered by something else. */
  get detects(): boolean {
    return this.#expectation === "auto" && !this.#overTls;
  }

  /** What the next connection begins with. `http1Only`: see {@link needsHttp1}. */
  offer(http1Only: boolean): Offer {
    if (this.#expectation !== "auto") return this.#expectation;
    if (http1Only) return "http/1.1";
    if (this.#overTls) return "auto";
    return this.#speaks ?? "h2";
  }

  /**
   * Whether a request has to go over HTTP/1.1: a tunnel does, which every WebSocket server speaks
   * there, unless the operator said that the backend speaks HTTP/2 only.
   */
  needsHttp1(tunnel: boolean): boolean {
    return tunnel && this.#expectation === "auto";
  }

  /** A handshake or a greeting told. */
  learned(protocol: HttpProtocol): void {
    if (this.#expectation === "auto") this.#speaks = protocol;
  }

  /** The backend did not greet in HTTP/2. */
  notGreeted(heard: Heard): void {
    if (!this.detects) return;
    // Silence from one that spoke HTTP/2 before proves nothing yet.
    if (heard === "http/1.1" || this.#speaks === undefined) this.#speaks = "http/1.1";
    else this.#speaks = undefined;
  }

  /** A connection of HTTP/1.1 brought no answer, or one that is not HTTP/1.1. */
  notAnswered(): void {
    if (this.#expectation === "auto" && this.#speaks === "http/1.1") this.#speaks = undefined;
  }
}
