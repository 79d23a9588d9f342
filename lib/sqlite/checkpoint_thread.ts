import { statSync } from "node:fs";
import { dirname } from "node:path";
import { emptyLog, type LogRequest } from "./empty_log.ts";
import type { LogAnswer } from "./entry.ts";
import { CHECKPOINT_ENTRY_URL } from "./entry_url.ts";

/**
 * Empties the log of a database on a thread of its own, which is made when it is needed first. Where
 * none can be had, this thread waits for the disk.
 */
export class CheckpointThread implements Disposable {
  readonly #path: string;
  #worker: Worker | undefined;
  #running: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether the log is being emptied now. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Empties the log, unless that is being done already.
   *
   * @throws {Error} with SQLite's message.
   */
  async emptyLog(): Promise<void> {
    if (this.#isOver) return;
    if (this.#running !== undefined) return await this.#running.promise;
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found === undefined) return;
    const { dev, ino } = found;
    const running = this.#running = Promise.withResolvers<void>();
    try {
      this.#ask({ path: this.#path, dev, ino });
      await running.promise;
    } finally {
      this.#running = undefined;
    }
  }

  #ask(request: LogRequest): void {
    const worker = this.#worker ??= this.#start();
    worker.onmessage = ({ data: { error } }: MessageEvent<LogAnswer>) => {
      if (error === undefined) this.#running?.resolve();
      else this.#running?.reject(new Error(error));
    };
    worker.onerror = (event) => {
      event.preventDefault(); // Or the error would end the whole process.
      this.#worker?.terminate();
      this.#worker = undefined;
      try {
        emptyLog(request);
        this.#running?.resolve();
      } catch (error) {
        this.#running?.reject(error);
      }
    };
    worker.postMessage(request);
  }

  #start(): Worker {
    const folder = dirname(this.#path);
    return new Worker(CHECKPOINT_ENTRY_URL, {
      type: "module",
      name: "checkpoint",
      deno: {
        permissions: {
          read: [folder],
          write: [folder],
          net: false,
          run: false,
          env: false,
          sys: false,
          ffi: false,
          import: false,
        },
      },
    });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#running?.resolve();
  }
}
