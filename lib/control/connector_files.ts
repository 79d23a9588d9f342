import { checkTlsPair, type ConnectorConfig } from "../config/mod.ts";
import { loadRevocationLists, parseAuthorities, type RevocationLists } from "../connector/mod.ts";
import { describeError } from "../observe/mod.ts";
import type { ConnectorSnapshot } from "../server/mod.ts";
import type { ReadFile } from "./files.ts";

/** The connector's files do not make a whole; the message says why, without an octet of a key. */
export class ConnectorFilesError extends Error {
  override readonly name = "ConnectorFilesError";
  readonly code = "connector_files";
}

/** What the files hold, and the texts they were read as, to notice changes. */
export interface ConnectorFiles {
  readonly snapshot: ConnectorSnapshot;
  /** Equal while no file has changed. */
  readonly seen: string;
}

/**
 * Reads the certificates, the key and the revocation lists of the connector: all of them are
 * usable, or nothing is taken.
 *
 * @throws {ConnectorFilesError}
 */
export async function readConnectorFiles(
  config: ConnectorConfig,
  { readFile, nowMs }: { readonly readFile: ReadFile; readonly nowMs: number },
): Promise<ConnectorFiles> {
  const read = async (path: string) => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new ConnectorFilesError(`${path}: ${describeError(cause)}`, { cause });
    }
  };
  const text = async (path: string) => new TextDecoder().decode(await read(path));
  const authorities: string[] = [];
  for (const path of config.caCerts) authorities.push(await text(path));
  const certPem = await text(config.serverCert);
  const keyPem = await text(config.serverKey);
  const lists: Uint8Array[] = [];
  for (const path of config.crls) lists.push(await read(path));

  checkAuthorities(config, authorities);
  const pair = checkTlsPair(certPem, keyPem);
  if (!pair.ok) {
    const faults = pair.faults.map(({ part, reason }) => `the ${part} ${reason}`);
    throw new ConnectorFilesError(`${config.serverCert}: ${faults.join("; ")}`);
  }
  const revocationLists = readLists(config, { lists, authorities, nowMs });
  const { issuer, domain, defaultPort } = config;
  return {
    snapshot: { issuer, domain, defaultPort, authorities, revocationLists, certPem, keyPem },
    seen: await digest([
      ...[...authorities, certPem, keyPem].map((it) => new TextEncoder().encode(it)),
      ...lists,
    ]),
  };
}

function checkAuthorities({ caCerts }: ConnectorConfig, pems: readonly string[]): void {
  for (const [i, pem] of pems.entries()) {
    const name = caCerts[i] ?? "";
    let found: number;
    try {
      found = parseAuthorities([pem]).length;
    } catch (cause) {
      throw new ConnectorFilesError(`${name}: a certificate does not parse`, { cause });
    }
    if (found === 0) throw new ConnectorFilesError(`${name}: holds no certificate`);
    // A file that is being written ends inside a block.
    const begun = pem.split("-----BEGIN CERTIFICATE-----").length - 1;
    if (begun > found) throw new ConnectorFilesError(`${name}: is cut off`);
  }
}

function readLists(
  { crls }: ConnectorConfig,
  { lists, authorities, nowMs }: {
    readonly lists: readonly Uint8Array[];
    readonly authorities: readonly string[];
    readonly nowMs: number;
  },
): RevocationLists {
  const result = loadRevocationLists(lists, { authorities, nowMs });
  if (result.ok) return result.lists;
  const problems = result.problems.map(({ file, reason }) => `${crls[file]}: ${reason}`);
  throw new ConnectorFilesError(problems.join("; "));
}

/** Files of any length in 32 octets: their contents, not their times, tell of changes. */
async function digest(parts: readonly Uint8Array[]): Promise<string> {
  const digests: string[] = [];
  for (const part of parts) {
    const bytes = new Uint8Array(part);
    digests.push(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
  }
  return digests.join(" ");
}
