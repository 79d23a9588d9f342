import type { CertificateStore, Held, Pair } from "../certificates/mod.ts";
import type { ConnectorConfig } from "../config/mod.ts";
import { loadRevocationLists, type RevocationLists } from "../connector/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import { ACME } from "../state/mod.ts";

/** The connector's files do not make a whole; the message says why, without an octet of a key. */
export class ConnectorFilesError extends Error {
  override readonly name = "ConnectorFilesError";
  readonly code = "connector_files";
}

/** What the files amount to. */
export interface ConnectorFiles {
  /** The same object while everything in it is. */
  readonly snapshot: ConnectorSnapshot;
  /** Files that cannot be used and keep what they held before, and why. */
  readonly refused: readonly string[];
  /** What is odd, and used or ignored all the same. */
  readonly warnings: readonly string[];
  /** What the snapshot was made of. */
  readonly parts: readonly unknown[];
  /** What was made of the revocation lists. */
  readonly judged: JudgedLists;
}

interface RevocationFile extends Held<Uint8Array> {
  readonly path: string;
}

interface JudgedLists {
  /** Of what this was made. */
  readonly inputs: readonly unknown[];
  readonly revocationLists: RevocationLists;
  /** What each file held when it was usable last. */
  readonly lists: ReadonlyMap<string, Uint8Array>;
  readonly refused: readonly string[];
  readonly warnings: readonly string[];
}

/** What {@link readConnectorFiles} needs beside the configuration. */
export interface ConnectorFilesOptions {
  readonly store: CertificateStore;
  readonly nowMs: number;
  /** What was read before; absent: nothing, and a file that cannot be used is an error. */
  readonly before?: ConnectorFiles | undefined;
}

/**
 * Reads the certificates, the key and the revocation lists of the connector. Each file that cannot
 * be used keeps what it held before, certificate and key together; all others count at once: one
 * broken file must not keep an authority in use that was taken out of another.
 *
 * @throws {ConnectorFilesError} if there is nothing that a file could keep.
 */
export async function readConnectorFiles(
  config: ConnectorConfig,
  { store, nowMs, before }: ConnectorFilesOptions,
): Promise<ConnectorFiles> {
  const refused: string[] = [];
  const warnings: string[] = [];
  const authorities: string[] = [];
  for (const path of config.caCerts) {
    const held = await store.removableAuthorities(path);
    if (held.problem !== undefined) refused.push(`${path}: ${held.problem}`);
    warnings.push(...held.warnings.map((warning) => `${path}: ${warning}`));
    const { pem = "" } = held.value ?? {};
    if (pem !== "") authorities.push(pem);
  }
  const { serverCert: certificate, serverKey: key } = config;
  const isIssued = certificate === ACME;
  const pair = isIssued
    ? store.issued(connectorName(config))
    : await store.pair({ certificate, key });
  // One that is issued may come later: until then nobody is let in.
  const isPending = isIssued && pair.value === undefined;
  if (pair.problem !== undefined && !isPending) refused.push(`${certificate}: ${pair.problem}`);
  if (isPending) warnings.push(`${connectorName(config)}: ${pair.problem}`);
  const files: RevocationFile[] = [];
  for (const path of config.crls) files.push({ path, ...await store.revocationLists(path) });
  const judged = judgeLists(files, { authorities, nowMs, before });
  refused.push(...judged.refused);
  warnings.push(...judged.warnings);
  if (before === undefined && refused.length > 0) {
    throw new ConnectorFilesError(refused.join("; "));
  }
  const parts = [pair.value, ...authorities, ...[...judged.lists].flat()];
  const snapshot = before !== undefined && isSame(parts, before.parts)
    ? before.snapshot
    : compile(config, { authorities, pair: pair.value, revocationLists: judged.revocationLists });
  return { snapshot, refused, warnings, parts, judged };
}

/** For which the connector's own certificate is. */
export function connectorName({ domain }: Pick<ConnectorConfig, "domain">): string {
  return `*.${domain}`;
}

function compile(
  { issuer, domain, defaultPort, allowedNetworks }: ConnectorConfig,
  { authorities, pair, revocationLists }: {
    readonly authorities: readonly string[];
    readonly pair: Pair | undefined;
    readonly revocationLists: RevocationLists;
  },
): ConnectorSnapshot {
  const { certPem = "", keyPem = "" } = pair ?? {};
  return {
    issuer,
    domain,
    defaultPort,
    allowedNetworks,
    authorities,
    revocationLists,
    certPem,
    keyPem,
  };
}

/** What the lists of these authorities revoke; a file that they do not vouch for keeps what it held. */
function judgeLists(
  files: readonly RevocationFile[],
  { authorities, nowMs, before }: Omit<ConnectorFilesOptions, "store"> & {
    readonly authorities: readonly string[];
  },
): JudgedLists {
  const known = before?.judged;
  const inputs = [...authorities, ...files.flatMap(({ path, value }) => [path, value])];
  const unread = files.filter(({ problem }) => problem !== undefined);
  if (known?.refused.length === 0 && unread.length === 0 && isSame(inputs, known.inputs)) {
    return known; // Lists reach megabytes: none is parsed and verified for nothing.
  }
  const refused = unread.map(({ path, problem }) => `${path}: ${problem}`);
  const lists = new Map<string, Uint8Array>();
  for (const { path, value } of files) {
    const octets = value ?? known?.lists.get(path);
    if (octets !== undefined) lists.set(path, octets);
  }
  const load = () =>
    loadRevocationLists(files.map(({ path }) => lists.get(path) ?? NOTHING), {
      authorities,
      nowMs,
    });
  const pathOf = (file: number) => files[file]?.path ?? "";
  for (const { file, reason } of load().problems) {
    const path = pathOf(file);
    if (!lists.has(path)) continue; // Nothing was read, which is reported already.
    refused.push(`${path}: ${reason}`);
    const kept = known?.lists.get(path);
    if (kept === undefined) lists.delete(path);
    else lists.set(path, kept);
  }
  const loaded = load();
  const warnings = loaded.ignored.map(({ file, reason }) => `${pathOf(file)}: ignored: ${reason}`);
  const revocationLists = loaded.problems.length === 0
    ? loaded.lists
    // Not even what it held before is a list any more: what was revoked stays so.
    : new Map([...before?.snapshot.revocationLists ?? [], ...loaded.lists]);
  return { inputs, revocationLists, lists, refused, warnings };
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

const NOTHING = new Uint8Array(0);
