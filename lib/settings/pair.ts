import type { X509Certificate } from "node:crypto";
import { checkTlsPair } from "../certificates/mod.ts";
import { type KeyPath, quote, type Report } from "../schema/mod.ts";
import type { ConfigFiles } from "./files.ts";

/** The settings that name a certificate and its key, and what they name. */
export interface PairPlace {
  readonly certPath: KeyPath;
  readonly keyPath: KeyPath;
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/**
 * Whether the files of a certificate and a key serve TLS; warns of a certificate that is not valid now.
 *
 * @returns the server's own certificate, if there is a pair.
 */
export function checkPair(
  { certPath, keyPath, tlsCert, tlsKey }: PairPlace,
  { report, files, now }: {
    readonly report: Report;
    readonly files: ConfigFiles;
    readonly now: Date;
  },
): X509Certificate | undefined {
  const certPem = tlsCert === "" ? undefined : files.readText(tlsCert, certPath, report);
  const keyPem = tlsKey === "" ? undefined : files.readText(tlsKey, keyPath, report);
  if (certPem === undefined || keyPem === undefined) return undefined;
  const check = checkTlsPair(certPem, keyPem);
  if (!check.ok) {
    for (const { part, reason } of check.faults) {
      const [at, file] = part === "key" ? [keyPath, tlsKey] : [certPath, tlsCert];
      report.problem(at, `${quote(file)}: the ${part} ${reason}`);
    }
    return undefined;
  }
  const { leaf } = check;
  const file = quote(tlsCert);
  if (leaf.validToDate < now) {
    report.warning(certPath, `${file}: expired at ${leaf.validToDate.toISOString()}`);
  }
  if (leaf.validFromDate > now) {
    report.warning(certPath, `${file}: not valid before ${leaf.validFromDate.toISOString()}`);
  }
  return leaf;
}
