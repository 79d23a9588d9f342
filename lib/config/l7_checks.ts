import { parseL7Policy } from "../routes/mod.ts";
import type { ConfigFiles } from "./files.ts";
import type { KeyPath } from "./key_path.ts";
import type { Report } from "./problem.ts";
import { quote } from "./schema.ts";
import type { RouteSeed } from "./types.ts";

/** Settings of a route that only mode l7 has: each needs another one, or a file. */
export function checkL7Settings(
  route: RouteSeed,
  path: KeyPath,
  { report, files }: { readonly report: Report; readonly files: ConfigFiles },
): void {
  warnOfUnusedTls(route, path, report);
  checkBackendCa(route, [...path, "backend_ca"], { report, files });
  const policies = route.policies ?? [];
  for (const [i, { type, value }] of policies.entries()) {
    const check = parseL7Policy(type, value);
    if (check.ok) continue;
    report.problem(
      [...path, "policies", i, "value"],
      `${quote(value)} is invalid: ${check.reason}`,
    );
  }
  if (route.mode !== "l7" && policies.length > 0) {
    report.warning([...path, "policies"], `ignored with mode = "${route.mode}"`);
  }
}

function warnOfUnusedTls(route: RouteSeed, path: KeyPath, report: Report): void {
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
  { backendCa = "" }: RouteSeed,
  path: KeyPath,
  { report, files }: { readonly report: Report; readonly files: ConfigFiles },
): void {
  if (backendCa === "") return;
  const pem = files.readText(backendCa, path, report);
  if (pem !== undefined && !pem.includes("-----BEGIN CERTIFICATE-----")) {
    report.problem(path, `${quote(backendCa)}: holds no certificate`);
  }
}
