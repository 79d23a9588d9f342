import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type AdminClient, createClient } from "../client/mod.ts";
import { messageToJson } from "../rpc/mod.ts";
import { Answers, type Output, type Streams } from "../terminal/mod.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly socket: string;
  readonly json?: true;
  readonly as?: string;
  readonly timeout: number;
  readonly ifRevision?: bigint;
  readonly wait?: string;
}

/** What a command reads and writes. */
export interface SessionStreams {
  readonly stdin: Streams["stdin"];
  readonly output: Output;
  /** What is said beside the answer. */
  readonly notes: Output;
}

/** One run of a command against a running proxy. */
export class Session extends Answers implements Disposable {
  readonly options: GlobalOptions;
  readonly client: AdminClient;
  /** Of the last answer that named one; 0: none did. */
  revision = 0n;
  readonly stdin: Streams["stdin"];

  constructor(options: GlobalOptions, { stdin, output, notes }: SessionStreams) {
    super("mcproxyctl", { json: options.json ?? false, output, notes });
    this.stdin = stdin;
    const { socket: socketPath, timeout: timeoutMs, as, ifRevision } = options;
    this.options = options;
    this.client = createClient({
      socketPath,
      timeoutMs,
      ...as !== undefined && { actor: as },
      ...ifRevision !== undefined && { ifRevision },
    });
  }

  /** An answer, as JSON with the names of the protocol or in words. */
  answer<D extends DescMessage>(
    desc: D,
    message: MessageShape<D>,
    inWords: (message: MessageShape<D>) => readonly string[],
  ): void {
    if ("revision" in message) this.revision = message.revision as bigint;
    if (!this.json) return this.print(...inWords(message), ...pendingWords(message));
    this.raw(`${messageToJson(desc, message)}\n`);
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
