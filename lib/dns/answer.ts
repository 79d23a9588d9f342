import { formatIp, ipFromBytes } from "../addr/mod.ts";
import { Cursor } from "../wire/mod.ts";
import {
  CLASS_IN,
  type Message,
  type Question,
  type ResourceRecord,
  ResponseCode,
} from "./message.ts";
import { type Name, nameEquals, readName } from "./name.ts";
import { TYPE } from "./record_types.ts";

/** Aliases that are followed within one answer; honest chains are two or three long. */
const MAX_ALIASES = 16;

/** What a message says about the addresses of a name. */
export type AddressAnswer =
  | { readonly kind: "addresses"; readonly addresses: readonly string[]; readonly ttl: number }
  /** There are none; the time to remember that is absent if the message does not say it. */
  | { readonly kind: "none"; readonly ttl: number | undefined }
  /** The name is another one's alias, about which the message says nothing. */
  | { readonly kind: "alias"; readonly target: Name; readonly ttl: number }
  | { readonly kind: "failure"; readonly reason: string };

/**
 * Reads the answer to a question for A or AAAA records. Only what hangs together with the question
 * counts: its name, and the names that aliases lead to from there. Whatever else a server adds is
 * nobody's business (RFC 5452 §6).
 */
export function readAddressAnswer(
  message: Message,
  bytes: Uint8Array,
  { name, type }: Question,
): AddressAnswer {
  const { responseCode } = message.header;
  if (responseCode !== ResponseCode.noError && responseCode !== ResponseCode.nameError) {
    return { kind: "failure", reason: `the server answers with code ${responseCode}` };
  }
  const records = message.answers.filter((record) => record.class === CLASS_IN);
  let owner = name;
  let ttl = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const own = records.filter((record) => nameEquals(record.name, owner));
    const found = own.filter((record) => record.type === type);
    if (found.length > 0) return readAddresses(found, bytes, { type, ttl });
    const alias = own.find((record) => record.type === TYPE.CNAME);
    if (alias === undefined) break;
    const target = readName(bytes, alias.data.start);
    if (target?.next !== alias.data.end) {
      return { kind: "failure", reason: "an alias is not valid" };
    }
    owner = target.name;
    ttl = Math.min(ttl, alias.ttl);
    if (aliases === MAX_ALIASES) return { kind: "failure", reason: "aliases without end" };
  }
  if (owner !== name && responseCode === ResponseCode.noError && !hasSoa(message)) {
    return { kind: "alias", target: owner, ttl };
  }
  const negative = negativeTtl(message, bytes);
  return { kind: "none", ttl: negative === undefined ? undefined : Math.min(negative, ttl) };
}

function readAddresses(
  records: readonly ResourceRecord[],
  bytes: Uint8Array,
  { type, ttl }: { readonly type: number; readonly ttl: number },
): AddressAnswer {
  const length = type === TYPE.A ? 4 : 16;
  const addresses: string[] = [];
  let least = ttl;
  for (const { data: { start, end }, ttl } of records) {
    if (end - start !== length) return { kind: "failure", reason: "an address is not valid" };
    addresses.push(formatIp(ipFromBytes(bytes.subarray(start, end))));
    least = Math.min(least, ttl);
  }
  return { kind: "addresses", addresses, ttl: least };
}

function hasSoa({ authorities }: Message): boolean {
  return authorities.some(({ type }) => type === TYPE.SOA);
}

/** RFC 2308 §5: the lesser of the SOA record's own TTL and its last field. */
function negativeTtl({ authorities }: Message, bytes: Uint8Array): number | undefined {
  const soa = authorities.find(({ type }) => type === TYPE.SOA);
  if (soa === undefined) return undefined;
  const server = readName(bytes, soa.data.start);
  const mailbox = server && readName(bytes, server.next);
  const cursor = mailbox && new Cursor(bytes, mailbox.next, soa.data.end);
  const fields = cursor && [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
  const minimum = fields?.at(-1);
  return minimum === undefined ? undefined : Math.min(minimum, soa.ttl);
}
