import { checkTlsPair, type ConnectorConfig } from "../config/mod.ts";
import {
  describeUnfit,
  loadRevocationLists,
  parseAuthorities,
  type RevocationLists,
} from "../connector/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import type { ReadFile } from "./files.ts";

/** The connector's files do not make a whole; the message says why, without an octet of a key. */
export class ConnectorFilesError extends Error {
  override readonly name = "ConnectorFilesError";
  readonly code = "connector_files";
}

/** What the files amount to. */
export interface ConnectorFiles {
  readonly snapshot: ConnectorSnapshot;
  /** Equal while the snapshot is. */
  readonly seen: string;
  /** Files that cannot be used and keep what they held before, and why. */
  readonly refused: readonly string[];
  /** What is odd, and used or ignored all the same. */
  readonly warnings: readonly string[];
  /** What each file held when it was usable last; of the key too, so never shown. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** Files of authorities that are gone or empty. */
  readonly emptied: ReadonlySet<string>;
}

/** What {@link readConnectorFiles} needs beside the configuration. */
export interface ConnectorFilesOptions {
  readonly readFile: ReadFile;
  readonly nowMs: number;
  /** What was read before; absent: nothing, and a file that cannot be used is an error. */
  readonly before?: ConnectorFiles | undefined;
}

/**
 * Reads the certificates, the key and the revocation lists of the connector. Each file that cannot
 * be used keeps what it held before, certificate and key together; all others count at once: one
 * broken file must not keep an authority in use that was taken out of another.
 *
 * An authority's file that is gone or empty was either emptied on purpose or is being written. It
 * keeps what it held until the next look; then its authorities are removed.
 *
 * @throws {ConnectorFilesError} if there is nothing that a file could keep.
 */
export async function readConnectorFiles(
  config: ConnectorConfig,
  options: ConnectorFilesOptions,
): Promise<ConnectorFiles> {
  const reading = new Reading(options);
  const authorities: string[] = [];
  for (const path of config.caCerts) {
    const pem = await reading.authorities(path);
    if (pem !== "") authorities.push(pem);
  }
  const { certPem, keyPem } = await reading.pair(config);
  const revocationLists = await reading.lists(config, authorities);
  if (options.before === undefined && reading.refused.length > 0) {
    throw new ConnectorFilesError(reading.refused.join("; "));
  }
  const { issuer, domain, defaultPort, allowedNetworks } = config;
  const { refused, warnings, contents, emptied } = reading;
  return {
    snapshot: {
      issuer,
      domain,
      defaultPort,
      allowedNetworks,
      authorities,
      revocationLists,
      certPem,
      keyPem,
    },
    seen: await digest([
      ...[...authorities, certPem, keyPem].map((text) => new TextEncoder().encode(text)),
      ...config.crls.map((path) => contents.get(path) ?? NOTHING),
    ]),
    refused,
    warnings,
    contents,
    emptied,
  };
}

const NOTHING = new Uint8Array(0);

/** One look at all files. */
class Reading {
  readonly refused: string[] = [];
  readonly warnings: string[] = [];
  readonly contents = new Map<string, Uint8Array>();
  readonly emptied = new Set<string>();
  readonly #options: ConnectorFilesOptions;

  constructor(options: ConnectorFilesOptions) {
    this.#options = options;
  }

  /** The usable text of a file of authorities; empty if it has none any more. */
  async authorities(path: string): Promise<string> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await this.#options.readFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) return this.#keep(path, describeError(error));
    }
    const pem = bytes === undefined ? "" : new TextDecoder().decode(bytes);
    if (pem.trim() === "") return this.#emptied(path);
    const problem = this.#checkAuthorities(path, pem);
    if (problem !== undefined) return this.#keep(path, problem);
    this.contents.set(path, new TextEncoder().encode(pem));
    return pem;
  }

  /** Certificate and key, both new or both old. */
  async pair(config: ConnectorConfig): Promise<{ certPem: string; keyPem: string }> {
    const { serverCert, serverKey } = config;
    const pair = await this.#readPair(config);
    if (pair.problem !== undefined) {
      this.refused.push(`${serverCert}: ${pair.problem}`);
      for (const path of [serverCert, serverKey]) this.#keepContent(path);
    } else {
      this.contents.set(serverCert, pair.cert);
      this.contents.set(serverKey, pair.key);
    }
    const [certPem = "", keyPem = ""] = [serverCert, serverKey].map((path) => this.#text(path));
    return { certPem, keyPem };
  }

  /** What the lists of these authorities revoke. */
  async lists(
    { crls }: ConnectorConfig,
    authorities: readonly string[],
  ): Promise<RevocationLists> {
    for (const path of crls) {
      try {
        this.contents.set(path, await this.#options.readFile(path));
      } catch (error) {
        this.#keep(path, describeError(error));
      }
    }
    const { before, nowMs } = this.#options;
    const load = () => {
      const files = crls.map((path) => this.contents.get(path) ?? NOTHING);
      return loadRevocationLists(files, { authorities, nowMs });
    };
    for (const { file, reason } of load().problems) {
      const path = crls[file] as string;
      // Nothing was read, which is reported already.
      if (this.contents.has(path)) this.#keep(path, reason);
    }
    const loaded = load();
    for (const { file, reason } of loaded.ignored) {
      this.warnings.push(`${crls[file]}: ignored: ${reason}`);
    }
    if (loaded.problems.length === 0) return loaded.lists;
    // Not even what it held before is a list any more: what was revoked stays so.
    return new Map([...before?.snapshot.revocationLists ?? [], ...loaded.lists]);
  }

  async #readPair(
    { serverCert, serverKey }: ConnectorConfig,
  ): Promise<{ cert: Uint8Array; key: Uint8Array; problem?: string }> {
    try {
      const cert = await this.#options.readFile(serverCert);
      const key = await this.#options.readFile(serverKey);
      const pair = checkTlsPair(new TextDecoder().decode(cert), new TextDecoder().decode(key));
      if (pair.ok) return { cert, key };
      const problem = pair.faults.map(({ part, reason }) => `the ${part} ${reason}`).join("; ");
      return { cert, key, problem };
    } catch (error) {
      return { cert: NOTHING, key: NOTHING, problem: describeError(error) };
    }
  }

  #checkAuthorities(path: string, pem: string): string | undefined {
    let found;
    try {
      found = parseAuthorities([pem]);
    } catch (error) {
      return `a certificate does not parse: ${describeError(error)}`;
    }
    if (found.length === 0) return "holds no certificate";
    // A file that is being written ends inside a block.
    if (pem.split(BEGIN_CERTIFICATE).length - 1 > found.length) return "is cut off";
    for (const [i, { certificate }] of found.entries()) {
      const unfit = describeUnfit(certificate, this.#options.nowMs);
      if (unfit !== undefined) this.warnings.push(`${path}: certificate ${i + 1} ${unfit}`);
    }
    return undefined;
  }

  #emptied(path: string): string {
    this.emptied.add(path);
    const { before } = this.#options;
    const problem = "is empty or gone";
    if (before?.emptied.has(path) !== true) return this.#keep(path, problem);
    this.warnings.push(`${path}: ${problem}: its authorities are removed`);
    return "";
  }

  /** The file cannot be used: what it held before, as text. */
  #keep(path: string, problem: string): string {
    this.refused.push(`${path}: ${problem}`);
    this.#keepContent(path);
    return this.#text(path);
  }

  #keepContent(path: string): void {
    const before = this.#options.before?.contents.get(path);
    if (before === undefined) this.contents.delete(path);
    else this.contents.set(path, before);
  }

  #text(path: string): string {
    return new TextDecoder().decode(this.contents.get(path));
  }
}

const BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/** Files of any length in 32 octets: their contents, not their times, tell of changes. */
async function digest(parts: readonly Uint8Array[]): Promise<string> {
  const digests: string[] = [];
  for (const part of parts) {
    const bytes = new Uint8Array(part);
    digests.push(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
  }
  return digests.join(" ");
}
