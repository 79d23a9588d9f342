import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import {
  type Authority,
  createAuthority,
  importAuthority,
  issueCertificate,
} from "./certificates.ts";
import { prepareConnector } from "./connector_demo.ts";
import { demoConfig, demoPorts, DEMOS, fileName } from "./demo.ts";
import { NAMES_HOST, prepareNames } from "./names_demo.ts";

/** A certificate with less life than this is issued anew. */
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1000;

/** Private: keys, and a database that says who may reach what. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Certificate and key of one site, as PEM. */
export interface Identity {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What {@link prepareFolder} leaves behind. */
export interface PreparedFolder {
  /** Whether this was the first run. */
  readonly created: boolean;
  readonly configPath: string;
  /** Whether there is a name server; a folder of an earlier version has none. */
  readonly hasNames: boolean;
  /** The sites' certificates, by the hostname of their route. */
  readonly identities: ReadonlyMap<string, Identity>;
}

/**
 * Makes whatever is missing in the development server's folder: configuration, authority,
 * certificates. What is there is kept, apart from certificates about to expire.
 */
export async function prepareFolder(folder: string, port: number): Promise<PreparedFolder> {
  await Deno.mkdir(join(folder, "certs"), { recursive: true, mode: FOLDER_MODE });
  const configPath = join(folder, "mc-proxy.toml");
  const created = !await exists(configPath);
  const authority = await prepareAuthority(folder);
  const identities = new Map<string, Identity>();
  for (const demo of DEMOS) {
    const path = join(folder, "certs", fileName(demo));
    identities.set(demo.hostname, await prepareIdentity(path, demo.hostname, authority));
  }
  await prepareIdentity(join(folder, "certs", NAMES_HOST), NAMES_HOST, authority);
  if (created) {
    const ports = demoPorts(port);
    await prepareNames(folder, ports);
    const connector = DEMOS.findIndex(({ mode }) => mode === "mtls");
    await prepareConnector(folder, ports.sites[connector] ?? 0);
    // Last, so that a run that was interrupted starts over.
    await write(configPath, demoConfig(ports, folder));
  }
  const hasNames = await exists(join(folder, "mcns.toml"));
  return { created, configPath, hasNames, identities };
}

async function prepareAuthority(folder: string): Promise<Authority> {
  const [certPath, keyPath] = [join(folder, "ca.pem"), join(folder, "ca.key")];
  if (await exists(certPath) && await exists(keyPath)) {
    return await importAuthority(
      await Deno.readTextFile(certPath),
      await Deno.readTextFile(keyPath),
    );
  }
  const authority = await createAuthority({ commonName: "mc-proxy development CA" });
  await write(keyPath, authority.keyPem);
  await write(certPath, authority.certPem);
  return authority;
}

async function prepareIdentity(
  path: string,
  hostname: string,
  authority: Authority,
): Promise<Identity> {
  const [certPath, keyPath] = [`${path}.pem`, `${path}.key`];
  if (await exists(certPath) && await exists(keyPath)) {
    const certPem = await Deno.readTextFile(certPath);
    const stored = new X509Certificate(certPem);
    const lifeLeftMs = Date.parse(stored.validTo) - Date.now();
    if (
      stored.checkIssued(new X509Certificate(authority.certPem)) && lifeLeftMs > RENEW_BEFORE_MS
    ) return { certPem, keyPem: await Deno.readTextFile(keyPath) };
  }
  const issued = await issueCertificate(authority, { dnsNames: [hostname], usages: ["server"] });
  await write(keyPath, issued.keyPem);
  await write(certPath, issued.certPem);
  return issued;
}

async function write(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text, { mode: FILE_MODE });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
