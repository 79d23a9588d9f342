import type { Result } from "../addr/mod.ts";
import {
  nameFromText,
  nameKey,
  nameToText,
  octetsOf,
  typeFromText,
  typeToText,
} from "../dns/mod.ts";
import { boolean, filePath, list, oneOf, parsed, records, table } from "../schema/mod.ts";
import { serverEndpoint } from "../settings/mod.ts";
import { ipOrCidr } from "../state/mod.ts";
import { TSIG_ALGORITHMS } from "../tsig/mod.ts";
import type { KeyConfig, UpdateConfig, ZoneConfig } from "./types.ts";

/** More than anybody writes. */
const MAX_LIST = 1000;

const [FIRST_ALGORITHM, ...OTHER_ALGORITHMS] = Object.keys(TSIG_ALGORITHMS) as [
  KeyConfig["algorithm"],
  ...KeyConfig["algorithm"][],
];

const domainName = (what: string) => parsed(what, zoneName);

/** `[[dns.keys]]`. */
export const key = table<KeyConfig>({
  name: {
    key: "name",
    kind: domainName("name of a key"),
    required: true,
    doc: "What both servers call it.",
  },
  algorithm: {
    key: "algorithm",
    kind: oneOf(FIRST_ALGORITHM, ...OTHER_ALGORITHMS),
    default: "hmac-sha256",
    doc: "How messages are signed with it (RFC 8945).",
  },
  secretFile: {
    key: "secret_file",
    kind: filePath(),
    required: true,
    doc: "Holds the secret, base64, as `tsig-keygen` and `keymgr` print it.",
  },
});

const update = table<UpdateConfig>({
  key: {
    key: "key",
    kind: domainName("name of a key"),
    required: true,
    doc: "A key of `[[dns.keys]]`; messages without one change nothing.",
  },
  name: {
    key: "name",
    kind: domainName("name in the zone"),
    required: true,
    doc: "What may be changed, in full.",
  },
  below: {
    key: "below",
    kind: boolean(),
    default: false,
    doc: "Whether the names below it may be changed, too.",
  },
  types: {
    key: "types",
    kind: list(parsed("type of records", typeName), { maxLength: MAX_LIST }),
    default: [],
    doc:
      "Of which types records may be changed. Empty: of all, which alone lets a name be removed " +
      "as a whole.",
  },
});

/** `[[dns.zones]]`. */
export const zone = table<ZoneConfig>({
  zone: {
    key: "zone",
    kind: domainName("name of a zone"),
    required: true,
    doc: "A zone of the database; its records are managed there.",
  },
  allowTransfer: {
    key: "allow_transfer",
    kind: list(ipOrCidr(), { maxLength: MAX_LIST }),
    default: [],
    doc: "Addresses and blocks that may have it as a whole (AXFR, IXFR). Better name keys.",
  },
  transferKeys: {
    key: "transfer_keys",
    kind: list(domainName("name of a key"), { maxLength: MAX_LIST }),
    default: [],
    doc: "Keys of `[[dns.keys]]` with which one may, from anywhere.",
  },
  notify: {
    key: "notify",
    kind: list(parsed('`"IP"`, `"IPv4:port"` or `"[IPv6]:port"`', serverEndpoint), {
      maxLength: MAX_LIST,
    }),
    default: [],
    doc: "Servers that are told when it changes (NOTIFY), at port 53 unless they say otherwise.",
  },
  notifyKey: {
    key: "notify_key",
    kind: domainName("name of a key"),
    optional: true,
    doc:
      "A key of `[[dns.keys]]` that they are told with, so that they know who says so. Absent: " +
      "it is not signed.",
  },
  dnssecKeys: {
    key: "dnssec_keys",
    kind: filePath(),
    optional: true,
    doc: "Its keys, as `mcns keys` writes them: answers are signed. Absent: they are not.",
  },
  update: {
    key: "update",
    kind: records(update, { maxLength: MAX_LIST }),
    default: [],
    doc: "Who may change what by dynamic updates (RFC 2136). Empty: nobody.",
  },
});

/** The canonical text of a name, with its last dot. */
export function zoneName(text: string): Result<string> {
  const name = nameFromText(text);
  return name.ok ? { ok: true, value: nameToText(octetsOf(nameKey(name.value))) } : name;
}

function typeName(text: string): Result<string> {
  const type = typeFromText(text);
  return type.ok ? { ok: true, value: typeToText(type.value) } : type;
}
