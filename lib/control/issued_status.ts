import type { AcmeConfig } from "../config/mod.ts";
import type { IssuedCertificate } from "../db/mod.ts";
import type { IssuanceStore } from "./issuance_store.ts";

/** How the certificate of a name stands. */
export interface IssuedStatus {
  readonly name: string;
  readonly certificate: IssuedCertificate | undefined;
  /** When it is ordered next, in milliseconds since 1970. */
  readonly nextAt: number;
  readonly failures: number;
  readonly lastError: string;
  /** An order is under way. */
  readonly running: boolean;
}

/** What is stored of a name's certificate and of the order of the next one. */
export function issuedStatus(
  name: string,
  store: Pick<IssuanceStore, "certificate" | "order">,
  { directory }: Pick<AcmeConfig, "directory">,
): Omit<IssuedStatus, "running"> {
  const certificate = store.certificate(name);
  const { nextAt = 0, failures = 0, lastError = "" } = store.order(name) ?? {};
  const due = certificate?.directory === directory ? certificate.renewAt : 0;
  return { name, certificate, nextAt: Math.max(due, nextAt), failures, lastError };
}
