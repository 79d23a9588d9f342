import type { Result } from "../addr/mod.ts";
import { boolean, duration, filePath, list, oneOf, parsed, prose, table } from "../schema/mod.ts";
import { httpsUrl } from "../settings/mod.ts";
import { backendAddress, hostname } from "../state/mod.ts";
import type { AcmeConfig, AcmeDnsConfig } from "./types.ts";

const MAX_ZONES = 1000;

const dns = table<AcmeDnsConfig>({
  server: {
    key: "server",
    kind: backendAddress(),
    required: true,
    doc: "Its address and port, usually 53. Spoken to over TCP.",
  },
  zones: {
    key: "zones",
    kind: list(hostname(), { maxLength: MAX_ZONES }),
    required: true,
    doc:
      "The zones that it takes changes of. A name's is the longest that it is in. Names of other " +
      "zones are proved too where their `_acme-challenge` is a CNAME that leads into one of these.",
  },
  keyName: {
    key: "key_name",
    kind: hostname(),
    required: true,
    doc: "What the key is called there.",
  },
  keyFile: {
    key: "key_file",
    kind: filePath(),
    required: true,
    doc: "Holds the key, base64.",
  },
  propagationMs: {
    key: "propagation",
    kind: duration({ min: 0, max: 600_000 }),
    default: 5000,
    doc: "How long the other servers of the zone take to hear of a change.",
  },
});

/** `[acme]`. */
export const acme = table<AcmeConfig>({
  directory: {
    key: "directory",
    kind: parsed("an https URL", httpsUrl),
    required: true,
    doc: "The directory of the authority. Let's Encrypt: " +
      "`https://acme-v02.api.letsencrypt.org/directory`; to try things out, its staging one, " +
      "`https://acme-staging-v02.api.letsencrypt.org/directory`, whose certificates nobody trusts. " +
      "With another directory, certificates are ordered anew; the old ones stay in use meanwhile.",
  },
  email: {
    key: "email",
    kind: parsed("an e-mail address", emailAddress),
    default: "",
    doc: "Where the authority may write to. Empty: nowhere.",
  },
  agreeTos: {
    key: "agree_tos",
    kind: boolean(),
    default: false,
    doc: "Whether you agree to the authority's terms of service. Nothing is ordered without.",
  },
  caCert: {
    key: "ca_cert",
    kind: filePath(),
    optional: true,
    doc: "Authorities of the directory's own server, PEM, for an authority of your own. Absent: " +
      "those of the runtime.",
  },
  eabKid: {
    key: "eab_kid",
    kind: prose({ maxLength: 256 }),
    optional: true,
    doc: "The identifier of an external account, where the authority wants one.",
  },
  eabKeyFile: {
    key: "eab_key_file",
    kind: filePath(),
    optional: true,
    doc: "Holds the key of the external account, base64url.",
  },
  profile: {
    key: "profile",
    kind: prose({ maxLength: 64 }),
    optional: true,
    doc: "The kind of certificate, such as `shortlived`, of those that the authority offers. " +
      "Absent: its default.",
  },
  challenge: {
    key: "challenge",
    kind: oneOf("tls-alpn-01", "http-01", "dns-01"),
    default: "tls-alpn-01",
    doc: "How names are proved. `tls-alpn-01`: the authority connects to port 443 of the name, " +
      "which has to lead to a listener of this proxy; the firewall lets it through while a name is " +
      "being proved. Not for wildcards. `http-01`: the authority asks port 80 of the name by plain " +
      'HTTP, which has to lead to a listener with `kind = "redirect"`; the firewall lets that ' +
      "one request through. Not for wildcards. `dns-01`: a name server is told of the proof, that of " +
      "`[mcns]` or another one; see `dns`.",
  },
  dns: {
    key: "dns",
    kind: dns,
    optional: true,
    doc: "The name server that `dns-01` tells of proofs, by dynamic updates (RFC 2136) that are " +
      "signed with a key (TSIG, HMAC-SHA256): knot, bind and PowerDNS take them. The key needs to " +
      "change TXT records below `_acme-challenge` alone. Absent: the one of `[mcns]`.",
  },
});

function emailAddress(text: string): Result<string> {
  if (text === "" || /^[^\s@,;<>"()]{1,64}@[^\s@,;<>"()]{1,253}$/.test(text)) {
    return { ok: true, value: text };
  }
  return { ok: false, reason: "it is no e-mail address" };
}
