/**
 * The module that the thread of the history starts from. In a file of its own because `deno task
 * bundle` replaces this one line: in the bundle, program and threads are the same script.
 */
export const HISTORY_ENTRY_URL: URL = new URL("./entry.ts", import.meta.url);
