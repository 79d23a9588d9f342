/** Where a value sits in a document: table keys and array indexes from the root. */
export type KeyPath = readonly (string | number)[];

/** TOML 1.0 "bare keys"; any other key is quoted. */
const BARE_KEY = /^[A-Za-z0-9_-]+$/;

/**
 * The text of a path as operators read it, such as `listeners[0].routes[1].mode`. Two different
 * paths never give the same text, so it also serves as a map key.
 */
export function formatKeyPath(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text === "" ? "" : "."}${formatKey(part)}`;
  }
  return text;
}

/** One key as it is written in TOML: bare where it may be, else quoted. */
export function formatKey(key: string): string {
  return BARE_KEY.test(key) ? key : JSON.stringify(key);
}
