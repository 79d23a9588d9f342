/**
 * The module that a data-plane worker starts from. In a file of its own because `deno task bundle`
 * replaces this one line: in the bundle, program and worker are the same script.
 */
export const ENTRY_URL: URL = new URL("./entry.ts", import.meta.url);
