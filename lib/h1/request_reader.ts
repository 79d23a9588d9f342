import { HeadReader } from "./head_reader.ts";
import type { H1Limits } from "./limits.ts";
import type { LineReader } from "./line_reader.ts";
import { assembleRequest, type Request } from "./request.ts";
import type { BadLine, RequestLine } from "./start_line.ts";

/** Reads heads of requests, one after the other, and what they ask for. */
export class RequestReader {
  /** Index in the piece after what was taken. */
  next = 0;
  readonly #heads: HeadReader<RequestLine>;
  readonly #ignoresUpgrade: boolean;

  constructor({ limits, lines, ignoresUpgrades }: {
    readonly limits: H1Limits;
    readonly lines: LineReader;
    readonly ignoresUpgrades: boolean;
  }) {
    this.#heads = HeadReader.ofRequests(limits, lines);
    this.#ignoresUpgrade = ignoresUpgrades;
  }

  /** Of a head that did not become a request: so much of it was read, and the method is HEAD. */
  get isHead(): boolean {
    return this.#heads.line?.method === "HEAD";
  }

  /** Reads on from `at`. What is refused is the last that can be read. */
  read(piece: Uint8Array, at: number): "need" | Request | BadLine {
    const heads = this.#heads;
    const result = heads.read(piece, at);
    this.next = heads.next;
    if (result === "need") return result;
    if (result === "bad") return heads.problem;
    const request = assembleRequest(heads.line as RequestLine, heads.fields, {
      ignoresUpgrade: this.#ignoresUpgrade,
    });
    if (!("refuse" in request)) heads.begin();
    return request;
  }
}
