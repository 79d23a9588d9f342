import { parseBackendEndpoint, parseListenEndpoint } from "../addr/mod.ts";
import { readAuthorities } from "../certificates/mod.ts";
import { leadsToItself } from "../dns_forward/mod.ts";
import { type KeyPath, quote, type Report } from "../schema/mod.ts";
import { checkPair, type ConfigFiles } from "../settings/mod.ts";
import { refuseOverlaps } from "../state/mod.ts";
import { parseCookieSecret } from "./cookie_secret.ts";
import type { DnsConfig, McnsConfig } from "./types.ts";
import { checkZones } from "./zone_checks.ts";

interface Context {
  readonly report: Report;
  readonly files: ConfigFiles;
  readonly now: Date;
}

/** The checks that take more than one setting, or a file. */
export function checkMcnsConfig(config: McnsConfig, context: Context): void {
  refuseOverlaps(tcpAddresses(config), context.report);
  checkManagement(config, context);
  checkDns(config.dns, context);
}

/** All that listen for TCP. */
function tcpAddresses({ server, dns, metrics }: McnsConfig): [KeyPath, string][] {
  const all: [KeyPath, string | undefined][] = [
    [["server", "listen_addr"], server?.listenAddr],
    [["server", "grpc_addr"], server?.grpcAddr],
    [["dns", "listen_addr"], dns.listenAddr],
    ...dns.listenAlsoAt.map((addr, i): [KeyPath, string] => [["dns", "listen_also_at", i], addr]),
    [["dns", "dot", "listen_addr"], dns.dot?.listenAddr],
    [["metrics", "addr"], metrics?.addr],
  ];
  return all.flatMap(([path, addr]) => addr === undefined ? [] : [[path, addr]]);
}

function checkManagement({ server, mcias, auth }: McnsConfig, context: Context): void {
  const { report, files } = context;
  if (mcias?.caCert) {
    const at = ["mcias", "ca_cert"];
    const pem = files.readText(mcias.caCert, at, report);
    const read = pem === undefined ? undefined : readAuthorities(pem);
    if (read?.ok === false) report.problem(at, `${quote(mcias.caCert)}: ${read.reason}`);
  }
  if (server === undefined) return;
  checkTls(["server"], server, context);
  if (server.listenAddr === undefined && server.grpcAddr === undefined) {
    report.warning(["server"], "has neither listen_addr nor grpc_addr: nothing is served");
  } else if (mcias === undefined && auth.tokenHashes.length === 0) {
    report.warning(["server"], "nobody can show a token: there is neither [mcias] nor [auth]");
  }
}

function checkDns(dns: DnsConfig, context: Context): void {
  const { report, files } = context;
  const known = new Set([...dns.upstreams, ...dns.forward.flatMap(({ upstreams }) => upstreams)]);
  for (const [i, upstream] of dns.trustedUpstreams.entries()) {
    if (!known.has(upstream)) {
      report.warning(["dns", "trusted_upstreams", i], `${quote(upstream)} is never asked`);
    }
  }
  refuseLoops(dns, report);
  const zones = new Map<string, number>();
  for (const [i, { zone, upstreams }] of dns.forward.entries()) {
    const path = ["dns", "forward", i];
    const first = zones.get(zone);
    if (first !== undefined && zone !== "") {
      report.problem([...path, "zone"], `${quote(zone)} repeats dns.forward[${first}]`);
    }
    zones.set(zone, first ?? i);
    if (upstreams.length === 0 && !report.hasProblem([...path, "upstreams"])) {
      report.problem([...path, "upstreams"], "is empty");
    }
  }
  const { secretFile } = dns.cookies;
  if (secretFile) {
    const at = ["dns", "cookies", "secret_file"];
    const text = files.readText(secretFile, at, report);
    if (text !== undefined && parseCookieSecret(text) === undefined) {
      report.problem(at, `${quote(secretFile)} does not hold 32 hexadecimal digits`);
    }
  }
  checkZones(dns, context);
  if (dns.dot !== undefined) checkTls(["dns", "dot"], dns.dot, context);
}

function checkTls(
  path: KeyPath,
  { tlsCert, tlsKey }: { readonly tlsCert: string; readonly tlsKey: string },
  context: Context,
): void {
  const certPath = [...path, "tls_cert"];
  checkPair({ certPath, keyPath: [...path, "tls_key"], tlsCert, tlsKey }, context);
}

/** An upstream that is ourselves would have us ask ourselves. */
function refuseLoops(dns: DnsConfig, report: Report): void {
  const all: [KeyPath, string][] = [
    ...dns.upstreams.map((addr, i): [KeyPath, string] => [["dns", "upstreams", i], addr]),
    ...dns.forward.flatMap(({ upstreams }, i) =>
      upstreams.map((addr, j): [KeyPath, string] => [["dns", "forward", i, "upstreams", j], addr])
    ),
    ...dns.secondary.flatMap(({ primaries }, i) =>
      primaries.map((addr, j): [KeyPath, string] => [["dns", "secondary", i, "primaries", j], addr])
    ),
  ];
  const own = [dns.listenAddr, ...dns.listenAlsoAt].flatMap((text) => {
    const endpoint = parseListenEndpoint(text);
    return endpoint.ok ? [endpoint.value] : [];
  });
  for (const [path, addr] of all) {
    const server = parseBackendEndpoint(addr);
    if (!server.ok) continue;
    const { host: hostname, port } = server.value;
    if (own.some((listen) => leadsToItself({ hostname, port }, listen))) {
      report.problem(path, `${quote(addr)} is this server itself`);
    }
  }
}
