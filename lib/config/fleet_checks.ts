import { checkPair } from "../settings/mod.ts";
import { type KeyPath, quote } from "../schema/mod.ts";
import type { CheckContext } from "./check_context.ts";
import type { NamedFile } from "../state/mod.ts";
import { parseShareKeys } from "./share_keys.ts";
import type { Config, StatePostgresConfig } from "./types.ts";

const PATH: KeyPath = ["state"];
/** What a file's mode allows to others than its owner. */
const OTHERS = 0o077;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/;

/** What `source = "postgres"` needs, and the files of `[state.postgres]`. */
export function checkFleet({ state }: Config, { report, files, now }: CheckContext): void {
  const { source, postgres, local } = state;
  for (const [key, part] of [["postgres", postgres], ["local", local]] as const) {
    if (source === "postgres" && part === undefined) {
      report.problem([...PATH, key], 'is missing: source = "postgres" needs it');
    }
    if (source !== "postgres" && part !== undefined) {
      report.warning([...PATH, key], `ignored with source = "${source}"`);
    }
  }
  if (source !== "postgres" || postgres === undefined) return;
  checkNamedFiles(local?.files ?? [], { report, files });
  const at = [...PATH, "postgres"];
  checkSharing(postgres, at, { report, files });
  const { passwordFile, tls, ca, cert, key } = postgres;
  if (passwordFile) files.read(passwordFile, [...at, "password_file"], report);
  if (!tls) {
    for (const [name, value] of [["ca", ca], ["cert", cert], ["key", key]] as const) {
      if (value !== undefined) report.warning([...at, name], "ignored without tls");
    }
    return;
  }
  const pem = ca ? files.readText(ca, [...at, "ca"], report) : undefined;
  if (pem !== undefined && !CERTIFICATE.test(pem)) {
    report.problem([...at, "ca"], `${quote(ca ?? "")}: holds no certificate`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    report.problem([...at, cert === undefined ? "cert" : "key"], "is missing: the other is given");
  } else if (cert && key) {
    const paths = { certPath: [...at, "cert"], keyPath: [...at, "key"] };
    checkPair({ ...paths, tlsCert: cert, tlsKey: key }, { report, files, now });
  }
}

/** The files that the state may name; elsewhere than in a group nothing does. */
export function namedFilesOf({ state: { source, local } }: Config): readonly NamedFile[] {
  return source === "postgres" ? local?.files ?? [] : [];
}

/** Whoever has the key has all certificates: nobody but its owner may read it. */
function checkSharing(
  { shareCertificates, shareKeyFile }: StatePostgresConfig,
  path: KeyPath,
  { report, files }: Pick<CheckContext, "report" | "files">,
): void {
  const at = [...path, "share_key_file"];
  if (!shareCertificates) {
    if (shareKeyFile !== undefined) report.warning(at, "ignored without share_certificates");
    return;
  }
  if (shareKeyFile === undefined) {
    return report.problem(at, "is missing: share_certificates needs it");
  }
  const text = files.readText(shareKeyFile, at, report);
  if (text === undefined) return;
  const keys = parseShareKeys(text);
  if (!keys.ok) report.problem(at, `${quote(shareKeyFile)} ${keys.reason}`);
  const mode = files.modeOf(shareKeyFile);
  if (mode !== undefined && (mode & OTHERS) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
    const message = `${quote(shareKeyFile)} is not its owner's alone (mode ${octal}): chmod 600 it`;
    report.problem(at, message);
  }
}

/** Only a warning: the state may name none of them, and the proxy serves everything else. */
function checkNamedFiles(
  named: readonly NamedFile[],
  { report, files }: Pick<CheckContext, "report" | "files">,
): void {
  for (const { name, path } of named) {
    const found = files.look(path);
    if (typeof found === "string") report.warning([...PATH, "local", "files", name], found);
  }
}
