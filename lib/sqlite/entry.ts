/// <reference lib="deno.worker" />
/**
 * The thread of checkpoints. It may read and write the folder of the database and nothing else, and
 * waits for the disk so that nobody else has to.
 *
 * @module
 */
import { bringLog, type LogRequest } from "./bring_log.ts";

/** What the thread answers; `isForbidden`: it may not do what its program may. */
export type LogAnswer =
  | { readonly isWhole: boolean }
  | { readonly error: string; readonly isForbidden: boolean };

self.onmessage = ({ data }: MessageEvent<LogRequest>) => {
  let answer: LogAnswer;
  try {
    answer = { isWhole: bringLog(data) };
  } catch (error) {
    const isForbidden = error instanceof Deno.errors.NotCapable;
    answer = { error: error instanceof Error ? error.message : String(error), isForbidden };
  }
  self.postMessage(answer);
};
