/// <reference lib="deno.worker" />
/**
 * The thread of checkpoints. It may read and write the folder of the database and nothing else, and
 * waits for the disk so that nobody else has to.
 *
 * @module
 */
import { bringLog, type LogRequest } from "./bring_log.ts";

/** What the thread answers. */
export type LogAnswer = { readonly isWhole: boolean } | { readonly error: string };

self.onmessage = ({ data }: MessageEvent<LogRequest>) => {
  let answer: LogAnswer;
  try {
    answer = { isWhole: bringLog(data) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
};
