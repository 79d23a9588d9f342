import { parse } from "smol-toml";
import { formatKeyPath, type KeyPath } from "./key_path.ts";

/** A place in a text; both count from 1, the column in UTF-16 units as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A part of a dotted key and the offset at which it is written. */
interface KeyPart {
  readonly name: string;
  readonly offset: number;
}

/**
 * Finds where every key and every array element of a TOML document is written: smol-toml gives a
 * position for syntax errors only. The result maps {@link formatKeyPath} texts to the position of
 * the key (of its first mention, for a table that several headers share) or of the array element.
 *
 * The document must be one that smol-toml accepts: this walk relies on it and checks nothing. On
 * other input it ends, but what it returns means nothing.
 *
 * @example
 * ```ts
 * import { locateKeys } from "./locate.ts";
 * import assert from "node:assert/strict";
 *
 * const positions = locateKeys('[[listeners]]\n  addr = ":443"\n');
 * assert.deepEqual(positions.get("listeners[0].addr"), { line: 2, column: 3 });
 * ```
 */
export function locateKeys(toml: string): ReadonlyMap<string, Position> {
  return new Walk(toml).document();
}

class Walk {
  readonly #text: string;
  readonly #lineStarts: number[] = [0];
  readonly #positions = new Map<string, Position>();
  /** How many elements each array of tables has so far. */
  readonly #elements = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) {
      this.#lineStarts.push(i + 1);
    }
  }

  document(): ReadonlyMap<string, Position> {
    let table: KeyPath = [];
    for (;;) {
      this.#skipBlank();
      const start = this.#at;
      if (this.#peek() === "[") table = this.#header();
      else this.#keyValue(table);
      // Only at the end, or on input that is no TOML.
      if (this.#at === start) return this.#positions;
    }
  }

  /** `[a.b]` or `[[a.b]]`; returns the table it opens. */
  #header(): KeyPath {
    const isElement = this.#text.startsWith("[[", this.#at);
    this.#at += isElement ? 2 : 1;
    const parts = this.#key();
    this.#at += isElement ? 2 : 1;
    let path: KeyPath = [];
    for (const [i, { name, offset }] of parts.entries()) {
      path = [...path, name];
      this.#record(path, offset);
      const key = formatKeyPath(path);
      const length = this.#elements.get(key);
      if (isElement && i === parts.length - 1) {
        path = [...path, length ?? 0];
        this.#elements.set(key, (length ?? 0) + 1);
        this.#record(path, offset);
      } else if (length !== undefined) {
        // A header below an array of tables speaks of its latest element.
        path = [...path, length - 1];
      }
    }
    return path;
  }

  #keyValue(table: KeyPath): void {
    let path = table;
    for (const { name, offset } of this.#key()) {
      path = [...path, name];
      this.#record(path, offset);
    }
    if (this.#peek() !== "=") return;
    this.#at++;
    this.#skipBlank();
    this.#value(path);
  }

  /** A dotted key, up to the `=` or `]` after it. */
  #key(): KeyPart[] {
    const parts: KeyPart[] = [];
    for (;;) {
      this.#skipBlank();
      const offset = this.#at;
      const quote = this.#peek();
      if (quote === '"' || quote === "'") {
        this.#string();
        parts.push({ name: unquote(this.#text.slice(offset, this.#at)), offset });
      } else {
        this.#skipUntil(/[\s.=\]]/g);
        if (this.#at > offset) parts.push({ name: this.#text.slice(offset, this.#at), offset });
      }
      this.#skipBlank();
      if (this.#peek() !== ".") return parts;
      this.#at++;
    }
  }

  #value(path: KeyPath): void {
    const first = this.#peek();
    if (first === '"' || first === "'") this.#string();
    else if (first === "[") this.#array(path);
    else if (first === "{") this.#inlineTable(path);
    // A number, a boolean or a date, which may hold one space.
    else this.#skipUntil(/[,\]}#\r\n]/g);
  }

  #array(path: KeyPath): void {
    this.#at++;
    for (let index = 0;; index++) {
      this.#skipBlank();
      const start = this.#at;
      if (this.#peek() === "]") break;
      const element = [...path, index];
      this.#record(element, start);
      this.#value(element);
      this.#skipComma();
      if (this.#at === start) return;
    }
    this.#at++;
  }

  #inlineTable(path: KeyPath): void {
    this.#at++;
    for (;;) {
      this.#skipBlank();
      const start = this.#at;
      if (this.#peek() === "}") break;
      this.#keyValue(path);
      this.#skipComma();
      if (this.#at === start) return;
    }
    this.#at++;
  }

  /** Any of the four kinds of string. */
  #string(): void {
    const quote = this.#peek();
    const isBasic = quote === '"';
    const triple = quote.repeat(3);
    const delimiter = this.#text.startsWith(triple, this.#at) ? triple : quote;
    this.#at += delimiter.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(delimiter, this.#at)) {
      this.#at += isBasic && this.#peek() === "\\" ? 2 : 1;
    }
    this.#at += delimiter.length;
    // TOML 1.0 "String": one or two quotes may stand just before the closing three.
    for (let extra = 0; delimiter === triple && extra < 2 && this.#peek() === quote; extra++) {
      this.#at++;
    }
  }

  #skipComma(): void {
    this.#skipBlank();
    if (this.#peek() === ",") this.#at++;
  }

  /** White space, line ends, a byte order mark and comments. */
  #skipBlank(): void {
    for (;;) {
      this.#skipUntil(/[^\s\uFEFF]/g);
      if (this.#peek() !== "#") return;
      this.#skipUntil(/\n/g);
    }
  }

  #skipUntil(stop: RegExp): void {
    stop.lastIndex = this.#at;
    this.#at = stop.exec(this.#text)?.index ?? Math.max(this.#at, this.#text.length);
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #record(path: KeyPath, offset: number): void {
    const key = formatKeyPath(path);
    if (this.#positions.has(key)) return;
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const column = offset - (this.#lineStarts[low] ?? 0) + 1;
    this.#positions.set(key, { line: low + 1, column });
  }
}

/** The name a quoted key stands for. */
function unquote(key: string): string {
  if (key.startsWith("'") || !key.includes("\\")) return key.slice(1, -1);
  const { name } = parse(`name = ${key}`);
  return typeof name === "string" ? name : key;
}
