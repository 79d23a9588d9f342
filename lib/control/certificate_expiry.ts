import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { describeError } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";

/** A certificate that a route names. */
export interface CertificateExpiry {
  /** The file, as the route names it. */
  readonly file: string;
  /** When its first certificate ends, in milliseconds since 1970; undefined if unreadable. */
  readonly expiresAtMs: number | undefined;
  /** Why it cannot be read. */
  readonly problem?: string;
}

/** Reads when the certificates of routes end; each file once, in the order of the routes. */
export async function readCertificateExpiries(
  routes: Iterable<Pick<Route, "mode" | "tlsCert">>,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<CertificateExpiry[]> {
  const files = new Set<string>();
  for (const { mode, tlsCert } of routes) if (mode !== "l4" && tlsCert !== "") files.add(tlsCert);
  const expiries: CertificateExpiry[] = [];
  for (const file of files) expiries.push(await readExpiry(file, readFile));
  return expiries;
}

async function readExpiry(
  file: string,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<CertificateExpiry> {
  try {
    // Of a chain it reads the first certificate, the server's own.
    const certificate = new X509Certificate(Buffer.from(await readFile(file)));
    return { file, expiresAtMs: certificate.validToDate.getTime() };
  } catch (error) {
    return { file, expiresAtMs: undefined, problem: describeError(error) };
  }
}
