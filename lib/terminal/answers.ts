import { type Column, plain, renderTable } from "./table.ts";

/** Where a command writes. */
export interface Output {
  write(text: string): void;
}

/** What a command for operators says: to people line by line, or to machines. */
export class Answers {
  /** Whether the output is for machines. */
  readonly json: boolean;
  readonly #program: string;
  readonly #output: Output;
  readonly #notes: Output;

  constructor(program: string, { json, output, notes = output }: {
    readonly json: boolean;
    readonly output: Output;
    /** Default: the same. */
    readonly notes?: Output | undefined;
  }) {
    this.json = json;
    this.#program = program;
    this.#output = output;
    this.#notes = notes;
  }

  /** Writes lines for people; text of others in them cannot move the cursor. */
  print(...lines: readonly string[]): void {
    this.#output.write(lines.map((line) => `${plain(line)}\n`).join(""));
  }

  /** Says something beside the answer, which a machine may read. */
  note(line: string): void {
    this.#notes.write(`${this.#program}: ${plain(line)}\n`);
  }

  /** Writes text as it is. */
  raw(text: string): void {
    this.#output.write(text);
  }

  /** Rows below titles; `none` instead if there are none. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): readonly string[] {
    return rows.length === 0 ? [none] : renderTable(rows, columns);
  }
}
