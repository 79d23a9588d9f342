import { type KeyPath, quote, type Report } from "../schema/mod.ts";
import type { RouteSettings } from "../state/mod.ts";
import type { ConfigFiles } from "../settings/mod.ts";

/** How the backend of an l7 route is spoken to: each setting needs another one, or a file. */
export function checkBackendTls(
  route: RouteSettings,
  path: KeyPath,
  { report, files }: { readonly report: Report; readonly files: ConfigFiles },
): void {
  warnOfUnusedTls(route, path, report);
  checkBackendCa(route, [...path, "backend_ca"], { report, files });
}

function warnOfUnusedTls(route: RouteSettings, path: KeyPath, report: Report): void {
  const settings = [
    ["backend_tls_verify", route.backendTlsVerify],
    ["backend_ca", route.backendCa],
    ["backend_server_name", route.backendServerName],
  ] as const;
  for (const [key, value] of settings) {
    if (value === undefined || value === false || route.backendTls) continue;
    report.warning([...path, key], "ignored without backend_tls");
  }
  if (route.backendTls && route.backendCa !== undefined && route.backendTlsVerify !== true) {
    report.warning([...path, "backend_ca"], "ignored without backend_tls_verify");
  }
}

function checkBackendCa(
  { backendCa = "" }: RouteSettings,
  path: KeyPath,
  { report, files }: { readonly report: Report; readonly files: ConfigFiles },
): void {
  if (backendCa === "") return;
  const pem = files.readText(backendCa, path, report);
  if (pem !== undefined && !pem.includes("-----BEGIN CERTIFICATE-----")) {
    report.problem(path, `${quote(backendCa)}: holds no certificate`);
  }
}
