import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Certificate,
  ListCertificatesResponseSchema,
  RenewCertificateResponseSchema,
  RevokeCertificateResponseSchema,
  RolloverAccountKeyResponseSchema,
} from "../admin/gen/mod.ts";
import { formatTime } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** Certificates that are asked for at once. */
const PAGE_SIZE = 10_000;

/** `certificates`: what each route uses, and until when. */
export async function listCertificates(session: Session): Promise<void> {
  const found = await session.client.listCertificates({ pageSize: PAGE_SIZE });
  while (found.nextPageToken !== "") {
    const { nextPageToken: pageToken } = found;
    const next = await session.client.listCertificates({ pageSize: PAGE_SIZE, pageToken });
    found.certificates.push(...next.certificates);
    found.nextPageToken = next.nextPageToken;
  }
  session.answer(ListCertificatesResponseSchema, found, ({ certificates }) => [
    ...session.table(certificates, [
      { title: "HOSTNAME", value: ({ hostname }) => hostname },
      { title: "SOURCE", value: ({ source }) => source },
      { title: "ISSUER", value: ({ issuer }) => issuer || "—" },
      { title: "NAMES", value: ({ names }) => names.join(" ") || "—" },
      { title: "UNTIL", value: ({ expireTime }) => timeOf(expireTime) },
      { title: "NEXT ORDER", value: ({ nextOrderTime }) => timeOf(nextOrderTime) },
      { title: "PROBLEM", value: ({ problem }) => problem || "—" },
    ], "no route names a certificate"),
  ]);
}

/** `certificates renew`: orders one now. */
export async function renewCertificate(session: Session, hostname: string): Promise<void> {
  const done = await session.client.renewCertificate({ hostname });
  session.answer(RenewCertificateResponseSchema, done, () => [
    `a certificate for ${hostname} is being ordered: see the log, or \`certificates\``,
  ]);
}

/** `certificates revoke`: it is worth nothing any more. */
export async function revokeCertificate(session: Session, hostname: string): Promise<void> {
  const done = await session.client.revokeCertificate({ hostname });
  session.answer(RevokeCertificateResponseSchema, done, () => [
    `the certificate of ${hostname} is revoked, and another one is being ordered`,
  ]);
}

/** `certificates rollover-key`: the account gets another key. */
export async function rolloverKey(session: Session): Promise<void> {
  const done = await session.client.rolloverAccountKey({});
  session.answer(RolloverAccountKeyResponseSchema, done, ({ account }) => [
    `the account ${account} has another key, and the old one is worth nothing`,
  ]);
}

/** A time that is past or unknown needs no date. */
function timeOf(time: Certificate["expireTime"]): string {
  const ms = time === undefined ? undefined : timestampMs(time);
  return ms === undefined ? "—" : ms === 0 ? "now" : formatTime(ms);
}
