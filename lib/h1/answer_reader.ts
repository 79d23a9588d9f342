import { type Answer, type Asked, assembleAnswer, type BrokenAnswer } from "./answer.ts";
import { HeadReader } from "./head_reader.ts";
import type { H1Limits } from "./limits.ts";
import type { LineReader } from "./line_reader.ts";
import type { StatusLine } from "./start_line.ts";

/** Reads heads of answers, one after the other, and what they say to what was asked. */
export class AnswerReader {
  /** Index in the piece after what was taken. */
  next = 0;
  readonly #heads: HeadReader<StatusLine>;

  constructor(limits: H1Limits, lines: LineReader) {
    this.#heads = HeadReader.ofResponses(limits, lines);
  }

  /** Reads on from `at`. What is broken is the last that can be read. */
  read(piece: Uint8Array, at: number, asked: Asked): "need" | Answer | BrokenAnswer {
    const heads = this.#heads;
    const result = heads.read(piece, at);
    this.next = heads.next;
    if (result === "need") return result;
    if (result === "bad") return { broken: heads.problem.reason };
    const answer = assembleAnswer(heads.line as StatusLine, heads.fields, asked);
    heads.begin();
    return answer;
  }
}
