import { type Column, plain, renderTable } from "../terminal/mod.ts";
import { create, type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import { type AdminClient, createClient } from "../client/mod.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly socket: string;
  readonly json?: true;
  readonly as?: string;
  readonly timeout: number;
  readonly ifRevision?: bigint;
}

/** Where a command writes. */
export interface Output {
  write(text: string): void;
}

/** One run of a command against a running proxy. */
export class Session implements Disposable {
  readonly options: GlobalOptions;
  readonly client: AdminClient;
  readonly #output: Output;
  readonly #notes: Output;

  constructor(options: GlobalOptions, output: Output, notes: Output = output) {
    this.#notes = notes;
    const { socket: socketPath, timeout: timeoutMs, as, ifRevision } = options;
    this.options = options;
    this.#output = output;
    this.client = createClient({
      socketPath,
      timeoutMs,
      ...as !== undefined && { actor: as },
      ...ifRevision !== undefined && { ifRevision },
    });
  }

  /** Whether the output is for machines. */
  get json(): boolean {
    return this.options.json ?? false;
  }

  /** Writes lines for people; text of others in them cannot move the cursor. */
  print(...lines: readonly string[]): void {
    this.#output.write(lines.map((line) => `${plain(line)}\n`).join(""));
  }

  /** Says something beside the answer, which a machine may read. */
  note(line: string): void {
    this.#notes.write(`mcproxyctl: ${plain(line)}\n`);
  }

  /** Writes text as it is. */
  raw(text: string): void {
    this.#output.write(text);
  }

  /** An answer, as JSON with the names of the protocol or in words. */
  answer<D extends DescMessage>(
    desc: D,
    message: MessageShape<D>,
    inWords: (message: MessageShape<D>) => readonly string[],
  ): void {
    if (!this.json) return this.print(...inWords(message), ...pendingWords(message));
    const options = { alwaysEmitImplicit: true, useProtoFieldName: true, prettySpaces: 2 };
    this.raw(`${toJsonString(desc, create(desc, message as never), options)}\n`);
  }

  /** Rows below titles; `none` instead if there are none. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): readonly string[] {
    return rows.length === 0 ? [none] : renderTable(rows, columns);
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

/** Which workers have yet to apply a change, if the message says so. */
export function pendingWords(message: object): readonly string[] {
  const workers = "pendingWorkers" in message ? message.pendingWorkers as readonly number[] : [];
  if (workers.length === 0) return [];
  const names = `worker${workers.length === 1 ? "" : "s"} ${workers.join(", ")}`;
  return [`not yet in effect in ${names}: late, and applied there as soon as possible`];
}

/** What happened to live connections, as the end of a sentence. */
export function liveWords(live: number, closed: number): string {
  if (closed > 0) return `; ${count(closed, "connection")} closed`;
  return live > 0 ? `; ${count(live, "live connection")} ${live === 1 ? "goes" : "go"} on` : "";
}

/** `1 route`, `2 routes`. */
export function count(number: number | bigint, noun: string): string {
  return `${number} ${noun}${Number(number) === 1 ? "" : "s"}`;
}
