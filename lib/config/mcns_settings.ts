import { duration, filePath, list, parsed, table } from "../schema/mod.ts";
import { httpsUrl, serverEndpoint } from "../settings/mod.ts";
import { hostname } from "../state/mod.ts";
import type { McnsConfig } from "./types.ts";

const MAX_ZONES = 1000;

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
});
