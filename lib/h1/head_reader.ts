import { FieldLines } from "./field_lines.ts";
import type { H1Limits } from "./limits.ts";
import { LineReader } from "./line_reader.ts";
import {
  type BadLine,
  parseRequestLine,
  parseStatusLine,
  type RequestLine,
  type StatusLine,
} from "./start_line.ts";

/** Empty lines before a request that are skipped (RFC 9112 §2.2); old clients end a body so. */
const MAX_EMPTY_LINES = 4;
/** nginx and HAProxy bound it by the whole head too. */
const URI_TOO_LONG = 414;

/** Reads heads: a first line, field lines, an empty line. */
export class HeadReader<Line extends RequestLine | StatusLine> {
  /** The fields of the head that is complete. */
  readonly fields: FieldLines;
  /** Its first line. */
  line: Line | undefined;
  /** Why the head is refused, after {@link read} answered `bad`. */
  problem: BadLine = { refuse: 400, reason: "" };
  /** Index in the piece after what was taken. */
  next = 0;
  readonly #limits: Pick<H1Limits, "maxHead" | "maxFields">;
  readonly #lines: LineReader;
  readonly #parse: (bytes: Uint8Array, start: number, end: number) => Line | BadLine;
  readonly #skipsEmptyLines: boolean;
  #octets = 0;
  #emptyLines = 0;

  private constructor(
    role: "request" | "response",
    { limits, lines, parse }: {
      readonly limits: Pick<H1Limits, "maxHead" | "maxFields">;
      readonly lines: LineReader;
      readonly parse: (bytes: Uint8Array, start: number, end: number) => Line | BadLine;
    },
  ) {
    this.fields = new FieldLines(role);
    this.#limits = limits;
    this.#lines = lines;
    this.#parse = parse;
    this.#skipsEmptyLines = role === "request";
  }

  /** Heads of requests. `lines` may be shared with whoever reads between heads. */
  static ofRequests(limits: H1Limits, lines: LineReader): HeadReader<RequestLine> {
    return new HeadReader("request", { limits, lines, parse: parseRequestLine });
  }

  /** Heads of responses. */
  static ofResponses(limits: H1Limits, lines: LineReader): HeadReader<StatusLine> {
    return new HeadReader("response", { limits, lines, parse: parseStatusLine });
  }

  /** Forgets the last head. */
  begin(): void {
    this.line = undefined;
    this.fields.begin();
    this.#octets = 0;
    this.#emptyLines = 0;
  }

  /** Reads on from `at`. `head`: it is complete. `bad`: see {@link problem}. */
  read(piece: Uint8Array, at: number): "need" | "head" | "bad" {
    const lines = this.#lines;
    for (;;) {
      const before = lines.pending;
      const result = lines.read(piece, at, this.#limits.maxHead - this.#octets);
      this.next = lines.next;
      if (result === "need") return "need";
      if (result === "too-long") return this.#tooLong();
      if (result === "bare-lf") return this.#bad(400, "a line that ends in a bare line feed");
      this.#octets += before + lines.next - at;
      at = lines.next;
      const step = this.line === undefined ? this.#firstLine() : this.#fieldLine();
      if (step !== "more") return step;
    }
  }

  #firstLine(): "more" | "bad" {
    const { bytes, start, end } = this.#lines;
    if (start === end && this.#skipsEmptyLines && ++this.#emptyLines <= MAX_EMPTY_LINES) {
      return "more";
    }
    const line = this.#parse(bytes, start, end);
    if ("refuse" in line) return this.#bad(line.refuse, line.reason);
    this.line = line;
    return "more";
  }

  #fieldLine(): "more" | "head" | "bad" {
    const { bytes, start, end } = this.#lines;
    if (start === end) return "head";
    if (this.fields.count >= this.#limits.maxFields) return this.#bad(431, "too many fields");
    return this.fields.line(bytes, start, end) ? "more" : this.#bad(400, this.fields.problem);
  }

  #tooLong(): "bad" {
    const status = this.line === undefined ? URI_TOO_LONG : 431;
    return this.#bad(status, "the head is too large");
  }

  #bad(refuse: number, reason: string): "bad" {
    this.problem = { refuse, reason };
    return "bad";
  }
}
