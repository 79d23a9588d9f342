import {
  type Fields,
  isSpace,
  latin1,
  OCTETS,
  parseContentLength,
  VALUE_OCTET,
} from "../http/mod.ts";
import { foundName, NameKind, readName } from "./name_table.ts";

/** What the field lines of a head say about the message's end (RFC 9112 §6). */
export type Coding = "none" | "chunked" | "unknown";

/**
 * A stranger's `Connection` cannot take these away: this hop or one behind it relies on them (as
 * `Connection: close, X-Forwarded-For` did to several servers).
 */
const END_TO_END: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "content-encoding",
  "cookie",
  "authorization",
  "cache-control",
  "user-agent",
]);

/** Collects the field lines of one head. One instance serves a whole session. */
export class FieldLines {
  /** Names and values that are passed on; `content-length` is among them. */
  fields: string[] = [];
  count = 0;
  /** What is wrong; empty if nothing is. */
  problem = "";
  /** The declared length; -1: none. */
  contentLength = -1;
  coding: Coding = "none";
  host: string | undefined;
  /** Options of `Connection`. */
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  readonly #isResponse: boolean;
  #named: Set<string> | undefined;
  #codings = 0;
  #te = false;
  #cookie = -1;
  #upgrade: string[] | undefined;
  #announced: Set<string> | undefined;

  /** Rules differ a little: a backend may repeat its length, a client may not. */
  constructor(role: "request" | "response") {
    this.#isResponse = role === "response";
  }

  /** Protocols of `Upgrade`, in lower case. */
  get upgrade(): readonly string[] {
    return this.#upgrade ?? NONE;
  }

  /** Names that `Trailer` announces, in lower case. */
  get announced(): ReadonlySet<string> {
    return this.#announced ?? NO_NAMES;
  }

  /** Forgets the last head. */
  begin(): void {
    this.fields = [];
    this.count = 0;
    this.problem = "";
    this.contentLength = -1;
    this.coding = "none";
    this.host = undefined;
    this.close = this.keepAlive = this.connectionUpgrade = false;
    this.#upgrade = this.#announced = undefined;
    this.#named = undefined;
    this.#codings = 0;
    this.#te = false;
    this.#cookie = -1;
  }

  /** Takes one line without its CR LF. Answers whether it is one. */
  line(bytes: Uint8Array, start: number, end: number): boolean {
    this.count++;
    // RFC 9112 §5.2: a folded line. §5.1: no space before the colon. Both were read differently.
    const colon = readName(bytes, start, end);
    if (colon < 0) return this.#refuse("a line that is no field");
    const { text: name, kind } = foundName;
    const value = readValue(bytes, colon + 1, end);
    if (value === undefined) return this.#refuse("an octet that no value may hold");
    if (kind === NameKind.ordinary) this.fields.push(name, value);
    else this.#special(kind, name, value);
    return this.problem === "";
  }

  /** What is passed on, after the last line. */
  finish(): Fields {
    const named = this.#named;
    if (named !== undefined) this.fields = without(this.fields, named);
    if (this.#te) this.fields.push("te", "trailers");
    return this.fields;
  }

  #special(kind: number, name: string, value: string): void {
    switch (kind) {
      case NameKind.connection:
        return this.#connection(value);
      case NameKind.contentLength:
        return this.#length(name, value);
      case NameKind.transferEncoding:
        return this.#transferEncoding(value);
      case NameKind.host:
        if (this.#isResponse) return void this.fields.push(name, value);
        if (this.host !== undefined) return void this.#refuse("two Host fields");
        this.host = value;
        return;
      case NameKind.upgrade:
        return void (this.#upgrade ??= []).push(...listMembers(value));
      case NameKind.te:
        if (listMembers(value).some((member) => member.split(";", 1)[0] === "trailers")) {
          this.#te = true;
        }
        return;
      case NameKind.trailer:
        this.#announced ??= new Set();
        for (const member of listMembers(value)) this.#announced.add(member);
        this.fields.push(name, value);
        return;
      case NameKind.cookie:
        return this.#addCookie(name, value);
    }
  }

  #connection(value: string): void {
    for (const option of listMembers(value)) {
      if (option === "close") this.close = true;
      else if (option === "keep-alive") this.keepAlive = true;
      else if (option === "upgrade") this.connectionUpgrade = true;
      else if (!END_TO_END.has(option)) (this.#named ??= new Set()).add(option);
    }
  }

  /** RFC 9112 §6.3: a length that two hops could read differently ends the connection. */
  #length(name: string, value: string): void {
    if (this.#isResponse) {
      // A backend's equal lengths say the same to everybody (RFC 9112 §6.3, item 5).
      const values = value.split(",").map((one) => one.trim());
      const [first = ""] = values;
      const length = parseContentLength(first);
      if (length < 0 || values.some((one) => one !== first)) {
        return void this.#refuse("an invalid Content-Length");
      }
      if (this.contentLength >= 0) {
        if (this.contentLength !== length) this.#refuse("two different Content-Lengths");
        return;
      }
      this.contentLength = length;
      this.fields.push(name, first);
      return;
    }
    if (this.contentLength >= 0) return void this.#refuse("two Content-Lengths");
    const length = parseContentLength(value);
    if (length < 0) return void this.#refuse("an invalid Content-Length");
    this.contentLength = length;
    this.fields.push(name, value);
  }

  /** RFC 9112 §6.1: chunked once, and nothing else, is all that this hop can take off. */
  #transferEncoding(value: string): void {
    this.#codings++;
    this.coding = this.#codings === 1 && value.toLowerCase() === "chunked" ? "chunked" : "unknown";
  }

  /** RFC 9113 §8.2.3: HTTP/2 has crumbs of them, HTTP/1.1 one field. */
  #addCookie(name: string, value: string): void {
    if (this.#cookie < 0) this.#cookie = this.fields.push(name, value) - 1;
    else this.fields[this.#cookie] += `; ${value}`;
  }

  #refuse(problem: string): false {
    if (this.problem === "") this.problem = problem;
    return false;
  }
}

/** The members of a comma-separated list, in lower case. */
export function listMembers(value: string): string[] {
  return value.toLowerCase().split(",").map((member) => member.trim()).filter((one) => one !== "");
}

const NONE: readonly string[] = Object.freeze([]);
const NO_NAMES: ReadonlySet<string> = new Set();

/** The value without the white space around it; `undefined` if an octet of it is not allowed. */
function readValue(bytes: Uint8Array, start: number, end: number): string | undefined {
  while (start < end && isSpace(bytes[start] as number)) start++;
  while (end > start && isSpace(bytes[end - 1] as number)) end--;
  let all = VALUE_OCTET;
  for (let i = start; i < end; i++) all &= OCTETS[bytes[i] as number] as number;
  return all === 0 ? undefined : latin1(bytes, start, end);
}

function without(fields: Fields, named: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!named.has(name)) kept.push(name, fields[i + 1] as string);
  }
  return kept;
}
