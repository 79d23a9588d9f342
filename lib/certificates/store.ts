import { describeError } from "../observe/mod.ts";
import {
  type Authorities,
  NO_AUTHORITIES,
  readAuthorities,
  unfitAuthorities,
} from "./authorities.ts";
import { FileReader, type ReadFile, type ReadStamp } from "./file_reader.ts";
import { type Held, Holder } from "./held.ts";
import { checkTlsPair, describeFaults, type Pair } from "./pair.ts";

/** The files of a certificate chain and its key. */
export interface PairFiles {
  readonly certificate: string;
  readonly key: string;
}

/** What was issued for a name, from elsewhere than a file; the same object until another one is. */
export type ReadIssued = (
  name: string,
) => { readonly certPem: string; readonly keyPem: string } | undefined;

/** What others share of a pair of files; undefined: nothing. */
export type ReadShared = (
  files: PairFiles,
) => { readonly certPem: string; readonly keyPem: string } | undefined;

/** Authorities that may be taken away by emptying their file. */
export interface HeldAuthorities extends Held<Authorities> {
  /** What is odd, and so all the same; one sentence each. */
  readonly warnings: readonly string[];
}

/** When a certificate ends that somebody uses. */
export interface CertificateExpiry {
  readonly file: string;
  /** Milliseconds since 1970; undefined if there is nothing to use. */
  readonly expiresAtMs: number | undefined;
  /** Why what is there now is not in use. */
  readonly problem?: string;
}

/** What somebody asks a store for. */
export interface InUse {
  readonly pairs: Iterable<PairFiles>;
  /** Of authorities, of revocation lists, of error pages. */
  readonly files: Iterable<string>;
  /** Names whose certificates an authority issues. */
  readonly issued: Iterable<string>;
}

/** What a {@link CertificateStore} is made with. */
export interface CertificateStoreOptions {
  readonly readFile: ReadFile;
  readonly readStamp?: ReadStamp;
  /** Absent: nothing is issued. */
  readonly readIssued?: ReadIssued | undefined;
  /** What others share of files that cannot be read here. Absent: nobody shares any. */
  readonly readShared?: ReadShared | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Everything that TLS is made of: the one place that reads pairs, authorities and revocation lists
 * while the program runs, and the error pages that are files. Whoever needs one asks for it, and asking is looking: what is there now is
 * judged if it has changed, and what cannot be used leaves in use what was. Once in a while, everybody
 * asks again; {@link keepOnly} then forgets what nobody asked for.
 */
export class CertificateStore {
  readonly #files: FileReader;
  readonly #now: () => number;
  readonly #pairs = new Map<string, { readonly files: PairFiles; readonly holder: Holder<Pair> }>();
  readonly #authorities = new Map<string, HeldFile>();
  readonly #lists = new Map<string, Holder<Uint8Array>>();
  readonly #others = new Map<string, Holder<Uint8Array>>();
  readonly #readIssued: ReadIssued;
  readonly #readShared: ReadShared;
  readonly #issued = new Map<string, IssuedPair>();

  constructor(options: CertificateStoreOptions) {
    this.#files = new FileReader(options);
    this.#readIssued = options.readIssued ?? (() => undefined);
    this.#readShared = options.readShared ?? (() => undefined);
    this.#now = options.now;
  }

  /** A certificate chain and its key, both new or both old. */
  async pair(files: PairFiles): Promise<Held<Pair>> {
    const { holder } = entryOf(this.#pairs, pairName(files), () => ({
      files,
      holder: new Holder<Pair>(),
    }));
    try {
      const inputs = [
        await this.#files.read(files.certificate),
        await this.#files.read(files.key),
      ];
      return holder.take(inputs, judgePair);
    } catch (error) {
      return this.#shared(files, holder) ?? holder.refuse(describeError(error));
    }
  }

  /** The same object as long as others share the same. */
  #shared(files: PairFiles, holder: Holder<Pair>): Held<Pair> | undefined {
    const found = this.#readShared(files);
    if (found === undefined) return undefined;
    const { certPem, keyPem } = found;
    const { value } = holder.held;
    const check = checkTlsPair(certPem, keyPem);
    if (!check.ok) return undefined;
    const isSame = value?.certPem === certPem && value.keyPem === keyPem;
    holder.refuse("it is another proxy's"); // A file that comes is judged.
    return holder.replace(isSame ? value : { certPem, keyPem, leaf: check.leaf });
  }

  /** What an authority has issued for a name. */
  issued(name: string): Held<Pair> {
    const entry = entryOf(
      this.#issued,
      name,
      () => ({ holder: new Holder<Pair>(), seen: undefined }),
    );
    const found = this.#readIssued(name);
    if (found === undefined) return entry.holder.refuse("certificate pending");
    if (entry.seen === found) return entry.holder.held;
    entry.seen = found;
    const { certPem, keyPem } = found;
    const check = checkTlsPair(certPem, keyPem);
    if (!check.ok) return entry.holder.refuse(describeFaults(check.faults));
    return entry.holder.replace({ certPem, keyPem, leaf: check.leaf });
  }

  /** Authorities that stay in use while their file is gone or empty: of a backend. */
  async authorities(file: string): Promise<Held<Authorities>> {
    const { holder } = entryOf(this.#authorities, file, () => new HeldFile());
    try {
      return holder.take([await this.#files.read(file)], judgeAuthorities);
    } catch (error) {
      return holder.refuse(describeError(error));
    }
  }

  /**
   * Authorities that are taken away with the content of their file: of clients. A file that is gone or
   * empty was either emptied on purpose or is being written. It keeps what it held until the next look;
   * then nobody is trusted for it.
   */
  async removableAuthorities(file: string): Promise<HeldAuthorities> {
    const entry = entryOf(this.#authorities, file, () => new HeldFile());
    if (!await this.#isEmpty(file)) {
      entry.emptyLooks = 0;
      const held = await this.authorities(file);
      const warnings = held.value === undefined ? [] : unfitAuthorities(held.value, this.#now());
      return { ...held, warnings };
    }
    entry.emptyLooks++;
    if (entry.emptyLooks === 1) return { ...entry.holder.refuse(EMPTY), warnings: [] };
    entry.holder.refuse(EMPTY); // Whatever comes next is judged.
    return {
      ...entry.holder.replace(NO_AUTHORITIES),
      warnings: [`${EMPTY}: its authorities are removed`],
    };
  }

  /** The octets of a file of revocation lists: what they are worth, their authorities decide. */
  async revocationLists(file: string): Promise<Held<Uint8Array>> {
    const holder = entryOf(this.#lists, file, () => new Holder<Uint8Array>());
    try {
      return holder.take([await this.#files.read(file)], ([octets]) => octets ?? NOTHING);
    } catch (error) {
      return holder.refuse(describeError(error));
    }
  }

  /**
   * The octets of a file that is no part of TLS, and is looked at as those are: so one look covers all.
   *
   * @param options `judge` gives the octets, or why they are not to be used.
   */
  async octets(
    file: string,
    { maxOctets, judge }: {
      readonly maxOctets: number;
      readonly judge: (octets: Uint8Array) => Uint8Array | string;
    },
  ): Promise<Held<Uint8Array>> {
    const holder = entryOf(this.#others, file, () => new Holder<Uint8Array>());
    try {
      const octets = await this.#files.read(file, maxOctets);
      return holder.take([octets], ([octets = NOTHING]) => judge(octets));
    } catch (error) {
      return holder.refuse(describeError(error));
    }
  }

  /** When the certificates in use end, of pairs and of authorities, in the order they came. */
  expiries(): CertificateExpiry[] {
    const found = new Map<string, CertificateExpiry>();
    for (const { files: { certificate: file }, holder: { held } } of this.#pairs.values()) {
      found.set(file, expiryOf(file, held, held.value?.leaf.validToDate.getTime()));
    }
    for (const [name, { holder: { held } }] of this.#issued) {
      if (held.value === undefined) continue; // Pending, which is told elsewhere.
      const file = `acme:${name}`;
      found.set(file, expiryOf(file, held, held.value.leaf.validToDate.getTime()));
    }
    for (const [file, { holder: { held } }] of this.#authorities) {
      if (held.value === NO_AUTHORITIES) continue;
      const [first] = held.value?.certificates ?? [];
      found.set(file, expiryOf(file, held, first?.certificate.notAfter));
    }
    return [...found.values()];
  }

  /** Forgets what is not among these: pairs by their files, everything else by its name. */
  keepOnly({ pairs, files, issued }: InUse): void {
    const names = new Set(issued);
    for (const name of this.#issued.keys()) if (!names.has(name)) this.#issued.delete(name);
    const pairNames = new Set<string>();
    const paths = new Set(files);
    for (const entries of [this.#authorities, this.#lists, this.#others]) {
      for (const name of entries.keys()) if (!paths.has(name)) entries.delete(name);
    }
    for (const pair of pairs) {
      pairNames.add(pairName(pair));
      paths.add(pair.certificate).add(pair.key);
    }
    for (const name of this.#pairs.keys()) if (!pairNames.has(name)) this.#pairs.delete(name);
    this.#files.keepOnly(paths);
  }

  async #isEmpty(file: string): Promise<boolean> {
    try {
      return new TextDecoder().decode(await this.#files.read(file)).trim() === "";
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  }
}

const EMPTY = "is empty or gone";
const NOTHING = new Uint8Array(0);

interface IssuedPair {
  readonly holder: Holder<Pair>;
  seen: ReturnType<ReadIssued>;
}

class HeldFile {
  readonly holder = new Holder<Authorities>();
  /** How often it was empty or gone, without anything in between. */
  emptyLooks = 0;
}

function judgePair([certificate, key]: readonly Uint8Array[]): Pair | string {
  const certPem = new TextDecoder().decode(certificate);
  const keyPem = new TextDecoder().decode(key);
  const check = checkTlsPair(certPem, keyPem);
  return check.ok ? { certPem, keyPem, leaf: check.leaf } : describeFaults(check.faults);
}

function judgeAuthorities([octets]: readonly Uint8Array[]): Authorities | string {
  const read = readAuthorities(new TextDecoder().decode(octets));
  return read.ok ? read.authorities : read.reason;
}

function expiryOf(
  file: string,
  { problem }: Held<unknown>,
  expiresAtMs: number | undefined,
): CertificateExpiry {
  return { file, expiresAtMs, ...problem !== undefined && { problem } };
}

function pairName({ certificate, key }: PairFiles): string {
  return `${certificate}\0${key}`;
}

function entryOf<T>(entries: Map<string, T>, name: string, create: () => T): T {
  let entry = entries.get(name);
  if (entry === undefined) {
    entry = create();
    entries.set(name, entry);
  }
  return entry;
}
