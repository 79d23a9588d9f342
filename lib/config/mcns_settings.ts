import { formatIp, parseIp, type Result } from "../addr/mod.ts";
import { duration, filePath, list, parsed, table } from "../schema/mod.ts";
import { httpsUrl, serverEndpoint } from "../settings/mod.ts";
import { hostname } from "../state/mod.ts";
import type { McnsConfig, PublishConfig } from "./types.ts";

const MAX_ZONES = 1000;

/** Of one machine. */
const MAX_ADDRESSES = 16;

const publish = table<PublishConfig>({
  addresses: {
    key: "addresses",
    kind: list(parsed("an IP address", address), { maxLength: MAX_ADDRESSES }),
    required: true,
    doc: "Where clients find this proxy: what A and AAAA records say.",
  },
  ttlMs: {
    key: "ttl",
    kind: duration({ min: 1000, max: 604_800_000 }),
    default: 300_000,
    doc: "How long a resolver may remember them, in whole seconds.",
  },
});

/** `[mcns]`. */
export const mcns = table<McnsConfig>({
  server: {
    key: "server",
    kind: parsed("an https URL", httpsUrl),
    required: true,
    doc: "Its REST API, such as `https://localhost:8444`.",
  },
  dns: {
    key: "dns",
    kind: parsed('`"IP"`, `"IPv4:port"` or `"[IPv6]:port"`', serverEndpoint),
    required: true,
    doc: "Where it answers questions, at port 53 unless it says otherwise.",
  },
  caCert: {
    key: "ca_cert",
    kind: filePath(),
    optional: true,
    doc: "Authorities of the API's certificate, PEM. Absent: those of the runtime.",
  },
  tokenFile: {
    key: "token_file",
    kind: filePath(),
    required: true,
    doc: "Holds the bearer token that it knows us by, with the scope `write:ZONE` for each of " +
      "`zones`. Read at each call, as `ca_cert` is.",
  },
  zones: {
    key: "zones",
    kind: list(hostname(), { maxLength: MAX_ZONES }),
    required: true,
    doc: "The zones whose records we may change. A name's is the longest that it is in.",
  },
  propagationMs: {
    key: "propagation",
    kind: duration({ min: 0, max: 600_000 }),
    default: 0,
    doc: "How long secondary servers of the zones take to hear of a change.",
  },
  publish: {
    key: "publish",
    kind: publish,
    optional: true,
    doc:
      "Makes records of routes: A and AAAA for each hostname in one of `zones`, and HTTPS where " +
      "clients are led to an l7 route, with the port unless it is 443. Wildcards and `*` have " +
      "none. They follow the routes, at once or when the name server is back, and go with them or " +
      "with this table. What is there and was made by hand is left alone. Absent: none are made. " +
      "Before `[mcns]` goes, take this out and let the proxy start once.",
  },
});

/** One that a client can be led to. */
function address(text: string): Result<string> {
  const ip = parseIp(text);
  if (!ip.ok) return ip;
  const value = formatIp(ip.value);
  if (value !== "0.0.0.0" && value !== "::") return { ok: true, value };
  return { ok: false, reason: "nobody can be reached there" };
}
