import {
  type Fields,
  isAuthority,
  isFieldName,
  isFieldValue,
  isMethod,
  isPath,
  isScheme,
  isToken,
  parseContentLength,
  type RequestHead,
  type ResponseHead,
} from "../http/mod.ts";
import { BAD_NAME, BAD_VALUE, FieldKind, KIND_MASK, NEVER_INDEXED } from "./field_names.ts";
import type { FieldSink } from "./hpack_decoder.ts";
import { STATIC_NAMES } from "./hpack_static.ts";
import { ENTRY_OVERHEAD } from "./hpack_table.ts";
import { H2FieldError } from "./error_codes.ts";
import type { PartialRequest } from "./types.ts";

const STATUS = /^[1-5][0-9][0-9]$/;
/** Names that need no second look before they are sent: most of what is. */
const KNOWN_NAMES: ReadonlySet<string> = new Set(
  STATIC_NAMES.filter((name) => /^[a-z]/.test(name)),
);

/**
 * Collects the fields of one block and applies RFC 9113 §8 to them. One instance serves a whole
 * session; `begin` starts the next block.
 */
export class HeaderAssembler implements FieldSink {
  readonly #limit: number;
  #fields: string[] = [];
  #pseudo: string[] = [];
  #never: string[] | undefined;
  #cookie = -1;
  #host = "";
  #contentLength = -1;
  #special = false;
  #size = 0;
  #problem = "";

  /** `limit`: octets of header list, by HPACK's count. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Forgets the last block. */
  begin(): void {
    this.#fields = [];
    this.#pseudo = [];
    this.#never = undefined;
    this.#cookie = -1;
    this.#host = "";
    this.#contentLength = -1;
    this.#special = false;
    this.#size = 0;
    this.#problem = "";
  }

  /** The list is larger than the limit; what is above it was decoded but not kept. */
  get tooLarge(): boolean {
    return this.#size > this.#limit;
  }

  get full(): boolean {
    return this.#size > this.#limit;
  }

  /** What makes the block malformed; empty if nothing does. */
  get problem(): string {
    return this.#problem;
  }

  /** Takes one field from the decoder. */
  field(name: string, value: string, tag: number): void {
    this.#size += name.length + value.length + ENTRY_OVERHEAD;
    if (this.#size > this.#limit) return;
    if (tag === FieldKind.ordinary) this.#fields.push(name, value);
    else if (this.#problem === "") this.#specialField(name, value, tag);
  }

  /** What was kept of a block that is too large; nothing of it was checked but each field alone. */
  get partial(): PartialRequest {
    return { method: this.#pseudo[FieldKind.method] ?? "", fields: this.#fields };
  }

  /** The block as a request, or `undefined` after setting `problem`. */
  request(): RequestHead | undefined {
    if (this.#problem !== "") return undefined;
    const pseudo = this.#pseudo;
    const method = pseudo[FieldKind.method] ?? "";
    const scheme = pseudo[FieldKind.scheme] ?? "";
    const authority = pseudo[FieldKind.authority] ?? "";
    const path = pseudo[FieldKind.path] ?? "";
    const protocol = pseudo[FieldKind.protocol] ?? "";
    if (pseudo[FieldKind.status] !== undefined) return this.#refuse(":status in a request");
    if (!isMethod(method)) return this.#refuse("missing or invalid :method");
    if (authority !== "" && !isAuthority(authority)) return this.#refuse("invalid :authority");
    if (pseudo[FieldKind.authority] === "") return this.#refuse("empty :authority");
    if (method === "CONNECT" && protocol === "") {
      if (pseudo[FieldKind.scheme] !== undefined || path !== "" || authority === "") {
        return this.#refuse("CONNECT must have :authority and no :scheme or :path");
      }
    } else if (!isScheme(scheme)) {
      return this.#refuse("missing or invalid :scheme");
    } else if (!isPath(path) || (path === "*" && method !== "OPTIONS")) {
      return this.#refuse("missing or invalid :path");
    }
    if (pseudo[FieldKind.protocol] !== undefined) {
      if (method !== "CONNECT" || !isToken(protocol) || authority === "") {
        return this.#refuse("invalid extended CONNECT");
      }
    }
    const host = this.#authorityWith(authority);
    if (host === undefined) return undefined;
    const { fields, contentLength, neverIndexed } = this.#rest();
    return {
      method,
      scheme,
      authority: host,
      path,
      protocol,
      fields,
      contentLength,
      neverIndexed,
    };
  }

  /** The block as a response, or `undefined` after setting `problem`. */
  response(): ResponseHead | undefined {
    const text = this.#pseudo[FieldKind.status];
    if (this.#problem !== "") return undefined;
    for (let kind = FieldKind.method; kind < FieldKind.status; kind++) {
      if (this.#pseudo[kind] !== undefined) return this.#refuse("request field in a response");
    }
    if (text === undefined || !STATUS.test(text)) return this.#refuse("missing or invalid :status");
    // RFC 9113 §8.6: HTTP/2 has no 101.
    if (text === "101") return this.#refuse("status 101");
    if (this.#host !== "") this.#fields.push("host", this.#host);
    return { status: Number(text), ...this.#rest() };
  }

  /** The block as trailers, or `undefined` after setting `problem`. */
  trailers(): Fields | undefined {
    if (this.#problem !== "") return undefined;
    // RFC 9113 §8.1, RFC 9110 §6.5.1: nothing that frames, routes or describes the message.
    if (this.#special) return this.#refuse("pseudo-header or framing field in trailers");
    return this.#fields;
  }

  #rest(): { fields: Fields; contentLength: number; neverIndexed: readonly string[] | undefined } {
    return {
      fields: this.#fields,
      contentLength: this.#contentLength,
      neverIndexed: this.#never,
    };
  }

  #authorityWith(authority: string): string | undefined {
    const host = this.#host;
    if (host === "" || host === authority) return authority;
    if (!isAuthority(host)) return this.#refuse("invalid host");
    // RFC 9113 §8.3.1: two names for one request would let two hops disagree on its target.
    if (authority !== "" && host.toLowerCase() !== authority.toLowerCase()) {
      return this.#refuse("host differs from :authority");
    }
    return authority === "" ? host : authority;
  }

  #specialField(name: string, value: string, tag: number): void {
    const kind = tag & KIND_MASK;
    if ((tag & BAD_NAME) !== 0) return void this.#refuse("invalid octet in a field name");
    if ((tag & BAD_VALUE) !== 0) return void this.#refuse("invalid octet in a field value");
    if ((tag & NEVER_INDEXED) !== 0) (this.#never ??= []).push(name);
    if (kind === FieldKind.ordinary) {
      this.#fields.push(name, value);
    } else if (kind === FieldKind.cookie) {
      this.#addCookie(value);
    } else {
      this.#special = true;
      if (kind < FieldKind.unknownPseudo) this.#addPseudo(kind, value);
      else this.#addRegular(kind, name, value);
    }
  }

  #addPseudo(kind: number, value: string): void {
    if (this.#fields.length > 0 || this.#host !== "") {
      this.#refuse("pseudo-header after a regular field");
    } else if (this.#pseudo[kind] !== undefined) {
      this.#refuse("repeated pseudo-header");
    } else {
      this.#pseudo[kind] = value;
    }
  }

  #addRegular(kind: number, name: string, value: string): void {
    switch (kind) {
      case FieldKind.unknownPseudo:
        return void this.#refuse("unknown pseudo-header");
      case FieldKind.connection:
        return void this.#refuse("connection-specific field");
      case FieldKind.te:
        // RFC 9113 §8.2.2.
        if (value.toLowerCase() !== "trailers") return void this.#refuse("te is not trailers");
        this.#fields.push(name, value);
        return;
      case FieldKind.contentLength:
        // Even equal values are refused: two lengths are only ever sent to be read differently.
        if (this.#contentLength >= 0) return void this.#refuse("repeated content-length");
        this.#contentLength = parseContentLength(value);
        if (this.#contentLength < 0) return void this.#refuse("invalid content-length");
        this.#fields.push(name, value);
        return;
      case FieldKind.host:
        if (this.#host !== "") return void this.#refuse("repeated host");
        if (value === "") return void this.#refuse("empty host");
        this.#host = value;
        return;
    }
  }

  /** RFC 9113 §8.2.3: crumbs become one field before anything else sees them. */
  #addCookie(value: string): void {
    if (this.#cookie < 0) {
      this.#cookie = this.#fields.push("cookie", value) - 1;
    } else {
      this.#fields[this.#cookie] += `; ${value}`;
    }
  }

  #refuse(problem: string): undefined {
    this.#problem = problem;
    return undefined;
  }
}

/**
 * Checks fields of our own side before they are encoded: the dynamic table must not change for a
 * block that cannot be sent. Answers how many characters they have.
 *
 * @throws {H2FieldError} on a name or value that HTTP/2 cannot carry.
 */
export function checkFields(fields: Fields): number {
  let characters = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1];
    if (value === undefined) throw new H2FieldError("cannot send fields: a name has no value");
    if (!KNOWN_NAMES.has(name) && !isFieldName(name)) {
      throw new H2FieldError("cannot send fields: invalid name");
    }
    if (!isFieldValue(value)) {
      throw new H2FieldError(`cannot send fields: invalid value of ${name}`);
    }
    characters += name.length + value.length;
  }
  return characters;
}

/** The same for the values of pseudo-headers, whose names are our own. */
export function checkPseudo(pseudo: Fields): number {
  let characters = 0;
  for (let i = 0; i < pseudo.length; i += 2) {
    const name = pseudo[i] as string;
    const value = pseudo[i + 1] as string;
    if (!isFieldValue(value)) {
      throw new H2FieldError(`cannot send fields: invalid value of ${name}`);
    }
    characters += name.length + value.length;
  }
  return characters;
}
