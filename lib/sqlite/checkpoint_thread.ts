import { statSync } from "node:fs";
import { dirname } from "node:path";
import { bringLog, type LogRequest } from "./bring_log.ts";
import { confinedWorker } from "./confined_worker.ts";
import type { LogAnswer } from "./entry.ts";
import { CHECKPOINT_ENTRY_URL } from "./entry_url.ts";

/**
 * Brings the log of a database into it on a thread of its own, which is made when it is needed first.
 * Where none can be had, this thread waits for the disk.
 */
export class CheckpointThread implements Disposable {
  readonly #path: string;
  #worker: Worker | undefined;
  #isUnable = false;
  #running: PromiseWithResolvers<boolean> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Brings what is in the log now into the database; whether that was everything. One at a time.
   *
   * @throws {Error} with SQLite's message.
   */
  async bringLog(): Promise<boolean> {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found === undefined) return false;
    const running = this.#running = Promise.withResolvers<boolean>();
    this.#ask({ path: this.#path, dev: found.dev, ino: found.ino });
    return await running.promise;
  }

  #ask(request: LogRequest): void {
    if (this.#isUnable) return this.#bringHere(request);
    const worker = this.#worker ??= this.#start();
    worker.onmessage = ({ data }: MessageEvent<LogAnswer>) => {
      if ("isWhole" in data) this.#running?.resolve(data.isWhole);
      // Files below /dev, such as a database in /dev/shm, are for programs that may do everything.
      else if (data.isForbidden) this.#bringHere(request);
      else this.#running?.reject(new Error(data.error));
    };
    worker.onerror = (event) => {
      event.preventDefault(); // Or the error would end the whole process.
      this.#bringHere(request);
    };
    worker.postMessage(request);
  }

  #bringHere(request: LogRequest): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#isUnable = true;
    try {
      this.#running?.resolve(bringLog(request));
    } catch (error) {
      this.#running?.reject(error);
    }
  }

  #start(): Worker {
    return confinedWorker(CHECKPOINT_ENTRY_URL, {
      name: "checkpoint",
      folder: dirname(this.#path),
    });
  }

  /** Ends it; who waits for it waits no more. */
  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#running?.resolve(false);
  }
}
