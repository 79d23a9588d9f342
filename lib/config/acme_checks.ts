import { readAuthorities } from "../certificates/mod.ts";
import { type KeyPath, quote } from "../schema/mod.ts";
import type { CheckContext } from "./check_context.ts";
import type { AcmeConfig, Config } from "./types.ts";

const PATH: KeyPath = ["acme"];

/** The section's files, and what takes two of its settings. */
export function checkAcme({ acme, mcns }: Config, { report, files }: CheckContext): void {
  if (acme === undefined) return;
  if (!acme.agreeTos) {
    report.problem([...PATH, "agree_tos"], "is not true: no authority issues without");
  }
  if ((acme.eabKid === undefined) !== (acme.eabKeyFile === undefined)) {
    const missing = acme.eabKid === undefined ? "eab_kid" : "eab_key_file";
    report.problem([...PATH, missing], "is missing: the other half is given");
  }
  if (acme.eabKeyFile) files.read(acme.eabKeyFile, [...PATH, "eab_key_file"], report);
  if (acme.challenge === "dns-01" && acme.dns === undefined && mcns === undefined) {
    const message = 'is missing: challenge = "dns-01" needs it, or the section [mcns]';
    report.problem([...PATH, "dns"], message);
  }
  if (acme.dns !== undefined) {
    if (acme.challenge !== "dns-01") report.warning([...PATH, "dns"], "ignored without dns-01");
    files.read(acme.dns.keyFile, [...PATH, "dns", "key_file"], report);
  }
  checkAuthorities(acme.caCert, [...PATH, "ca_cert"], { report, files });
}

/** The files of the section `[mcns]`. */
export function checkMcns({ mcns }: Config, { report, files }: CheckContext): void {
  if (mcns === undefined) return;
  const { tokenFile, caCert, zones } = mcns;
  const at = ["mcns", "token_file"];
  const token = files.readText(tokenFile, at, report)?.trim();
  // What a field of HTTP may hold (RFC 6750 §2.1).
  if (token !== undefined && !/^[\w.~+/-]+=*$/.test(token)) {
    report.problem(at, `${quote(tokenFile)} holds no token`);
  }
  checkAuthorities(caCert, ["mcns", "ca_cert"], { report, files });
  if (zones.length === 0) report.problem(["mcns", "zones"], "names no zone");
  if (mcns.publish?.addresses.length === 0) {
    report.problem(["mcns", "publish", "addresses"], "names no address");
  }
}

function checkAuthorities(
  file: string | undefined,
  at: KeyPath,
  { report, files }: Pick<CheckContext, "report" | "files">,
): void {
  if (!file) return;
  const pem = files.readText(file, at, report);
  const read = pem === undefined ? undefined : readAuthorities(pem);
  if (read?.ok === false) report.problem(at, `${quote(file)}: ${read.reason}`);
}

/** What `dns-01` takes of a name that is in none of the zones; nothing: it is in one. */
export function dnsWarning(
  hostname: string,
  { acme, mcns }: Pick<Config, "acme" | "mcns">,
): string | undefined {
  if (acme?.challenge !== "dns-01" || hostname === "") return undefined;
  const name = hostname.replace(/^\*\./, "");
  const { zones = [] } = acme.dns ?? mcns ?? {};
  const setting = acme.dns === undefined ? "mcns.zones" : "acme.dns.zones";
  return zones.some((zone) => name === zone || name.endsWith(`.${zone}`))
    ? undefined
    : `is in none of ${setting}: _acme-challenge.${name} has to be a CNAME that leads into one`;
}

/** Why no authority issues a certificate for a route of that hostname. */
export function acmeProblem(
  hostname: string,
  acme: AcmeConfig | undefined,
): { readonly key: "tls_cert" | "hostname"; readonly reason: string } | undefined {
  if (acme === undefined) {
    return { key: "tls_cert", reason: '"acme" needs the section [acme], which is missing' };
  }
  if (acme.challenge === "dns-01") return undefined;
  if (hostname.startsWith("*.")) {
    const reason = `${acme.challenge} proves no wildcard: name a certificate's files`;
    return { key: "hostname", reason };
  }
  if (hostname !== "" && !hostname.includes(".")) {
    return { key: "hostname", reason: "no authority issues for a name without a dot" };
  }
  return undefined;
}
