/// <reference lib="deno.worker" />
/**
 * The thread of checkpoints. It may read and write the folder of the database and nothing else, and
 * waits for the disk so that nobody else has to.
 *
 * @module
 */
import { emptyLog, type LogRequest } from "./empty_log.ts";

/** What the thread answers: how it failed, if it did. */
export interface LogAnswer {
  readonly error?: string;
}

self.onmessage = ({ data }: MessageEvent<LogRequest>) => {
  let answer: LogAnswer = {};
  try {
    emptyLog(data);
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
};
