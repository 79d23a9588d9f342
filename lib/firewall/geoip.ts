import { Buffer } from "node:buffer";
import { type CountryResponse, Reader } from "mmdb-lib";
import { formatIp, type IpAddress } from "../addr/mod.ts";
import { DATA_SEPARATOR_BYTES, SearchTree } from "./_search_tree.ts";

/** Why a file is no usable database. */
export type GeoIpErrorCode =
  /** No metadata at the end, or none that can be read: not a MaxMind DB, or cut off. */
  | "geoip_unreadable"
  /** The parts do not fit together: damaged, or overwritten while it was read. */
  | "geoip_inconsistent"
  /** Whole, but it knows no countries (an ASN database, say). */
  | "geoip_no_countries";

/** A GeoIP database cannot be used; whoever has another one goes on with that. */
export class GeoIpError extends TypeError {
  override readonly name = "GeoIpError";

  constructor(readonly code: GeoIpErrorCode, reason: string, options?: ErrorOptions) {
    super(`cannot open the GeoIP database: ${reason}`, options);
  }
}

/** An open country database. */
export interface GeoIp {
  /**
   * ISO 3166-1 alpha-2 code of the country an address is used in (`country`), or if that is unknown
   * of the one it is registered in (`registered_country`): a rule against a country should not miss
   * its networks because they roam. `represented_country` (embassies, bases) is not looked at.
   */
  country(ip: IpAddress): string | undefined;
  /** When the database was built, in seconds since 1970. */
  readonly buildEpoch: number;
  /** Such as `GeoLite2-Country`. */
  readonly databaseType: string;
  /** Look-ups that met a damaged record and so found no country. */
  readonly decodeErrors: number;
}

/** Octets that begin the metadata, which are the last part of the file (128 KiB at most). */
const METADATA_MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
/** Countries by record; a country database has a few thousand records, a city database more. */
const MAX_CACHED_RECORDS = 2 ** 16;
/** A record of a city database follows about 50 pointers; a knot of pointers would never end. */
const MAX_POINTERS = 10_000;
/** Tree nodes and records looked at in search of a first country. */
const MAX_PROBED_NODES = 1_000_000;
const MAX_PROBED_RECORDS = 1000;

/**
 * Opens a MaxMind DB that knows countries (GeoLite2 or GeoIP2 Country, City, Enterprise, or another
 * of the same layout). The whole tree is checked, so that a file cut off or overwritten half way is
 * refused here instead of quietly matching nothing later.
 *
 * @param bytes The file, not copied: it may lie in a `SharedArrayBuffer` and must not change.
 * @throws {GeoIpError} if it is not a whole database with countries.
 *
 * @example
 * ```ts
 * import { GeoIpError, openGeoIp } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => openGeoIp(new Uint8Array(1000)), GeoIpError);
 * ```
 */
export function openGeoIp(bytes: Uint8Array, { isChecked = false }: OpenOptions = {}): GeoIp {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records = openRecords(file);
  const { metadata } = records.reader;
  const data = findData(file, metadata.searchTreeSize);
  const tree = new SearchTree(file, metadata);
  const geoip = new MaxMindGeoIp(records, tree);
  if (isChecked) return geoip;
  const broken = tree.findBrokenRecord(data);
  if (broken !== undefined) {
    throw new GeoIpError(
      "geoip_inconsistent",
      `record ${broken} of its tree points at no data of a network`,
    );
  }
  if (!knowsCountries(geoip, tree)) {
    const type = JSON.stringify(metadata.databaseType);
    throw new GeoIpError("geoip_no_countries", `one of type ${type} has no countries`);
  }
  return geoip;
}

/** How to open a database. */
export interface OpenOptions {
  /**
   * Whether these octets have been opened before, by another worker say: then the tree, which takes
   * about 5 ns a record (20 ms for GeoLite2-Country), is not checked again. Default: false.
   */
  readonly isChecked?: boolean;
}

/** mmdb-lib's reader and what limits the work it does for one record. */
interface Records {
  readonly reader: Reader<CountryResponse>;
  readonly get: (ip: IpAddress) => unknown;
}

function openRecords(file: Buffer): Records {
  let pointersLeft = MAX_POINTERS;
  // Called whenever a pointer is followed.
  const budget = {
    get() {
      if (--pointersLeft < 0) throw new RangeError(`a record has over ${MAX_POINTERS} pointers`);
    },
    set() {},
  };
  try {
    const reader = new Reader<CountryResponse>(file, { cache: budget });
    checkMetadata(reader.metadata);
    const get = (ip: IpAddress) => {
      pointersLeft = MAX_POINTERS;
      return reader.get(formatIp(ip));
    };
    return { reader, get };
  } catch (cause) {
    if (cause instanceof GeoIpError) throw cause;
    throw new GeoIpError("geoip_unreadable", "not a MaxMind DB, or cut off", { cause });
  }
}

function checkMetadata(metadata: Reader<CountryResponse>["metadata"]): void {
  const { nodeCount, ipVersion, databaseType, buildEpoch, binaryFormatMajorVersion } = metadata;
  const isValid = binaryFormatMajorVersion === 2 && (ipVersion === 4 || ipVersion === 6) &&
    Number.isInteger(nodeCount) && nodeCount > 0 && typeof databaseType === "string" &&
    Number.isFinite(buildEpoch.getTime());
  if (!isValid) throw new GeoIpError("geoip_unreadable", "its metadata are invalid");
}

/** The data section, which the metadata place between the tree and themselves. */
function findData(file: Buffer, treeBytes: number): Uint8Array {
  const start = treeBytes + DATA_SEPARATOR_BYTES;
  const end = file.lastIndexOf(METADATA_MARKER);
  if (end < start) {
    throw new GeoIpError("geoip_inconsistent", "it is shorter than its metadata say");
  }
  if (file.subarray(treeBytes, start).some((octet) => octet !== 0)) {
    throw new GeoIpError("geoip_inconsistent", "its tree is not as long as its metadata say");
  }
  return file.subarray(start, end);
}

function knowsCountries(geoip: GeoIp, tree: SearchTree): boolean {
  const seen = new Set<number>();
  for (const { ip, value } of tree.leaves(MAX_PROBED_NODES)) {
    if (seen.has(value)) continue;
    if (geoip.country(ip) !== undefined) return true;
    if (seen.add(value).size === MAX_PROBED_RECORDS) return false;
  }
  return false;
}

/**
 * Walks the tree itself and has mmdb-lib decode each record once: decoding takes about 25 µs (names
 * in eight languages), the walk less than one.
 */
class MaxMindGeoIp implements GeoIp {
  readonly buildEpoch: number;
  readonly databaseType: string;
  readonly #records: Records;
  readonly #tree: SearchTree;
  /** By the tree's value; `""` is a record without a country. */
  readonly #countries = new Map<number, string>();
  #decodeErrors = 0;

  constructor(records: Records, tree: SearchTree) {
    this.#records = records;
    this.#tree = tree;
    this.buildEpoch = records.reader.metadata.buildEpoch.getTime() / 1000;
    this.databaseType = records.reader.metadata.databaseType;
  }

  get decodeErrors(): number {
    return this.#decodeErrors;
  }

  country(ip: IpAddress): string | undefined {
    const value = this.#tree.find(ip);
    if (value === 0) return undefined;
    const country = this.#countries.get(value) ?? this.#decode(ip, value);
    return country === "" ? undefined : country;
  }

  #decode(ip: IpAddress, value: number): string {
    let record: unknown;
    try {
      record = this.#records.get(ip);
    } catch {
      // mmdb-lib throws errors of several kinds for damaged data.
      this.#decodeErrors++;
      return "";
    }
    const country = isoCode(record, "country") ?? isoCode(record, "registered_country") ?? "";
    // Forgetting all at once is enough: what is in use comes back at 25 µs each.
    if (this.#countries.size >= MAX_CACHED_RECORDS) this.#countries.clear();
    this.#countries.set(value, country);
    return country;
  }
}

/** `record[key].iso_code` if it is one. */
function isoCode(record: unknown, key: string): string | undefined {
  const code = property(property(record, key), "iso_code");
  return typeof code === "string" && /^[A-Z]{2}$/.test(code) ? code : undefined;
}

function property(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return Reflect.get(value, key);
}
