import { failure, type Result, success } from "../addr/mod.ts";
import { type Name, nameFromZoneText, nameToText } from "./name.ts";
import type { Rdata } from "./rdata.ts";
import { rdataFromText, rdataToText } from "./rdata_text.ts";
import { isDataType, TYPE, typeFromText, typeToText } from "./record_types.ts";
import { type ZoneLine, ZoneLines, type ZoneProblem, type ZoneWord } from "./zone_lines.ts";
import { ttlFromText } from "./zone_units.ts";

/** A file that is not a zone has one on each line; the first ones are enough. */
const MAX_PROBLEMS = 100;

/** One record of a zone, its class the Internet's. */
export interface ZoneRecord {
  readonly name: Name;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  readonly data: Rdata;
}

/** What {@link parseZoneFile} found. */
export interface ZoneFile {
  readonly records: readonly ZoneRecord[];
  /** In the order of the file; the records are good for nothing if there is one. */
  readonly problems: readonly ZoneProblem[];
}

/**
 * Parses a zone file (RFC 1035 §5, RFC 2308 §4). `$ORIGIN` and `$TTL` are followed; `$INCLUDE` would
 * read files that whoever sends the zone may not, `$GENERATE` makes a thousand records of a line: both
 * are refused. A record without a TTL has that of `$TTL`, else of the one before.
 *
 * @param text one character for each octet.
 */
export function parseZoneFile(text: string, options: { readonly origin: Name }): ZoneFile {
  const steps = parseZoneFileInSteps(text, options);
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

/** {@link parseZoneFile}, a step for each entry. */
export function parseZoneFileInSteps(
  text: string,
  options: { readonly origin: Name },
): Generator<undefined, ZoneFile> {
  return new ZoneFileParser(options.origin).parse(text);
}

/** The lines of a zone file that says these records, names in full. */
export function zoneRecordText({ name, type, ttl, data }: ZoneRecord): string {
  return `${nameToText(name)} ${ttl} IN ${typeToText(type)} ${rdataToText(type, data)}`.trimEnd();
}

class ZoneFileParser {
  readonly #records: ZoneRecord[] = [];
  readonly #problems: ZoneProblem[] = [];
  #origin: Name;
  #owner: Name | undefined;
  #defaultTtl: number | undefined;
  #lastTtl: number | undefined;

  constructor(origin: Name) {
    this.#origin = origin;
  }

  *parse(text: string): Generator<undefined, ZoneFile> {
    const lines = new ZoneLines(text);
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      const [first] = line.words as [ZoneWord];
      if (first.text.startsWith("$") && !line.continuesOwner) this.#directive(line.words);
      else this.#record(line);
      if (this.#problems.length >= MAX_PROBLEMS) break;
      yield;
    }
    if (lines.problem !== undefined) this.#problems.push(lines.problem);
    return { records: this.#records, problems: this.#problems };
  }

  #directive(words: readonly ZoneWord[]): void {
    const [name, value, more] = words as [ZoneWord, ZoneWord?, ZoneWord?];
    const directive = name.text.toUpperCase();
    if (directive !== "$ORIGIN" && directive !== "$TTL") {
      const known = ["$INCLUDE", "$GENERATE"].includes(directive);
      return this.#note(name, `${directive} is not ${known ? "allowed" : "known"}`);
    }
    if (value === undefined) return this.#note(name, `${directive} says nothing`);
    if (more !== undefined) return this.#note(more, `${directive} says more than one thing`);
    if (directive === "$ORIGIN") {
      const origin = nameFromZoneText(value.text, this.#origin);
      if (!origin.ok) return this.#note(value, origin.reason);
      this.#origin = origin.value;
    } else {
      const ttl = ttlFromText(value.text);
      if (!ttl.ok) return this.#note(value, ttl.reason);
      this.#defaultTtl = ttl.value;
    }
  }

  #record({ words, continuesOwner }: ZoneLine): void {
    const [first] = words as [ZoneWord];
    let rest = words;
    if (!continuesOwner) {
      rest = words.slice(1);
      const owner = nameFromZoneText(first.text, this.#origin);
      this.#owner = owner.ok ? owner.value : undefined;
      if (!owner.ok) return this.#note(first, owner.reason);
    }
    if (this.#owner === undefined) return this.#note(first, "the record has no owner");
    const head = readHead(rest);
    if (!head.ok) return this.#note(rest[0] ?? first, head.reason);
    const { type, at, typeWord } = head.value;
    const data = rdataFromText(type, rest.slice(at).map(({ text }) => text), {
      origin: this.#origin,
    });
    if (!data.ok) return this.#note(rest[at] ?? typeWord, `${typeWord.text}: ${data.reason}`);
    const ttl = head.value.ttl ?? this.#defaultTtl ?? this.#lastTtl ??
      (type === TYPE.SOA ? minimumOf(data.value) : undefined);
    if (ttl === undefined) return this.#note(typeWord, "there is no TTL, neither here nor by $TTL");
    this.#lastTtl = ttl;
    this.#records.push({ name: this.#owner, type, ttl, data: data.value });
  }

  #note({ line, column }: ZoneWord, message: string): void {
    this.#problems.push({ line, column, message });
  }
}

interface RecordHead {
  readonly ttl: number | undefined;
  readonly type: number;
  readonly typeWord: ZoneWord;
  /** Index of the first word of the data. */
  readonly at: number;
}

/** TTL and class, in either order, and the type. */
function readHead(words: readonly ZoneWord[]): Result<RecordHead> {
  let ttl: number | undefined;
  let hasClass = false;
  for (const [i, word] of words.entries()) {
    const upper = word.text.toUpperCase();
    if (!hasClass && upper === "IN") {
      hasClass = true;
      continue;
    }
    if (["CH", "CS", "HS"].includes(upper)) return failure("only class IN is served");
    const seconds = ttlFromText(word.text);
    if (ttl === undefined && seconds.ok) {
      ttl = seconds.value;
      continue;
    }
    const type = typeFromText(word.text);
    if (!type.ok) return failure(`${JSON.stringify(word.text.slice(0, 40))} is ${type.reason}`);
    if (!isDataType(type.value)) return failure(`${upper} is no data of a zone`);
    return success({ ttl, type: type.value, typeWord: word, at: i + 1 });
  }
  return failure("the record has no type");
}

/** The last field of an SOA record. */
function minimumOf(soa: Rdata): number {
  return new DataView(soa.buffer, soa.byteOffset, soa.length).getUint32(soa.length - 4);
}
