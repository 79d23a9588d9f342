import { type KeyPath, quote } from "../schema/mod.ts";
import { describeUnfit } from "../x509/mod.ts";
import type { CheckContext } from "./check_context.ts";
import { coversHost, readAuthorities } from "../certificates/mod.ts";
import { checkPair } from "../settings/mod.ts";
import { ACME, type RouteSettings } from "../state/mod.ts";
import { acmeProblem } from "./acme_checks.ts";
import type { AcmeConfig, ConnectorConfig } from "./types.ts";

const PATH: KeyPath = ["connector"];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The files of the connector, and what takes two of its settings. */
export function checkConnector(
  connector: ConnectorConfig,
  context: CheckContext & { readonly acme: AcmeConfig | undefined },
): void {
  const { report, files } = context;
  checkAuthorities(connector, context);
  for (const [i, file] of connector.crls.entries()) files.read(file, [...PATH, "crls", i], report);
  checkServerPair(connector, context);
  checkDatabase(connector, context);
}

/** What an mtls route needs of the connector. */
export function checkConnectorRoute(
  { hostname }: RouteSettings,
  path: KeyPath,
  { connector, report }: CheckContext & { readonly connector: ConnectorConfig | undefined },
): void {
  if (connector === undefined) {
    report.warning([...path, "mode"], "connections are refused without the section [connector]");
    return;
  }
  const { domain } = connector;
  // Already reported.
  if (hostname === "" || domain === "") return;
  const hosts = hostname === `*.${domain}` ||
    hostname.endsWith(`.${domain}`) && !hostname.slice(0, -domain.length - 1).includes(".");
  if (hosts) return;
  report.problem(
    [...path, "hostname"],
    `${quote(hostname)} holds no host of the connector's domain ${quote(domain)}`,
    { suggestion: `"*.${domain}"` },
  );
}

function checkAuthorities({ caCerts }: ConnectorConfig, { report, files, now }: CheckContext) {
  const path = [...PATH, "ca_certs"];
  if (caCerts.length === 0 && !report.hasProblem(path)) {
    report.problem(path, "names no file: nobody could get in");
  }
  for (const [i, file] of caCerts.entries()) {
    const at = [...path, i];
    const pem = files.readText(file, at, report);
    if (pem === undefined) continue;
    const read = readAuthorities(pem);
    if (!read.ok) {
      report.problem(at, `${quote(file)}: ${read.reason}`);
      continue;
    }
    for (const [number, { certificate }] of read.authorities.certificates.entries()) {
      const unfit = describeUnfit(certificate, now.getTime());
      if (unfit === undefined) continue;
      const message = `${quote(file)}: certificate ${number + 1} ${unfit}`;
      if (certificate.isAuthority) report.warning(at, message);
      else report.problem(at, message);
    }
  }
}

function checkServerPair(
  connector: ConnectorConfig,
  { report, files, now, acme }: CheckContext & { readonly acme: AcmeConfig | undefined },
): void {
  const { serverCert, serverKey, domain } = connector;
  const certPath = [...PATH, "server_cert"];
  const keyPath = [...PATH, "server_key"];
  if (serverCert === ACME) {
    const problem = acmeProblem(`*.${domain}`, acme);
    if (problem !== undefined) report.problem(certPath, problem.reason);
    if (serverKey !== "") report.problem(keyPath, 'is too much with server_cert = "acme"');
    return;
  }
  if (serverKey === "" && !report.hasProblem(keyPath)) report.problem(keyPath, "is missing");
  // Empty ones are reported already.
  const pair = { certPath, keyPath, tlsCert: serverCert, tlsKey: serverKey };
  const leaf = checkPair(pair, { report, files, now });
  if (leaf === undefined || domain === "" || coversHost(leaf, `*.${domain}`)) return;
  report.warning(certPath, `${quote(serverCert)}: the certificate is not for "*.${domain}"`);
}

function checkDatabase(connector: ConnectorConfig, { report, files }: CheckContext): void {
  const { db, dbPasswordFile, dbCa, dbTls } = connector;
  if (dbPasswordFile) files.read(dbPasswordFile, [...PATH, "db_password_file"], report);
  if (dbCa) {
    const at = [...PATH, "db_ca"];
    const pem = files.readText(dbCa, at, report);
    if (pem !== undefined && pem.match(CERTIFICATE) === null) {
      report.problem(at, `${quote(dbCa)}: holds no certificate`);
    }
    if (!dbTls) report.warning(at, "ignored without db_tls");
  }
  if (dbTls && db !== "postgres") report.warning([...PATH, "db_tls"], "ignored with SQLite");
}
