/**
 * The module that the server of an address starts from. In a file of its own because `deno task
 * bundle` replaces this one line: in the bundle, program and threads are the same script.
 */
export const DNS_ENTRY_URL: URL = new URL("./entry.ts", import.meta.url);
