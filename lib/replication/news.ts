import { type Cidr, cidrContains, type IpAddress } from "../addr/mod.ts";
import {
  answerCode,
  foldCase,
  type OctetString,
  parseMessage,
  readName,
  ResponseCode,
} from "../dns/mod.ts";
import { readNotify } from "../transfer/mod.ts";
import { answerRefused, signMessage, type TsigKey, verifyMessage } from "../tsig/mod.ts";

const NOT_AUTHORITATIVE = 9;
/** Of the header's third octet: an answer repeats AA (RFC 1996 §4.7). */
const AUTHORITATIVE = 0x04;

const HEADER_OCTETS = 12;

/** Whose word about a zone is believed. */
export interface NotifySource {
  /** Addresses of its primaries, and of others that are believed. */
  readonly from: readonly Cidr[];
  /** Absent: the address alone is looked at. */
  readonly key?: TsigKey | undefined;
}

/** What a message came to. */
export interface NotifyVerdict {
  /** What it is answered. */
  readonly octets: Uint8Array;
  /** Absent: it was not believed. */
  readonly news?: { readonly zone: OctetString; readonly serial: number | undefined };
  /** Why it was not believed, for the log; absent: it was. */
  readonly refused?: string;
}

/**
 * Looks at a message that a zone has changed (RFC 1996 §3.10–3.11): it has to be about a zone that is
 * followed, from one of its primaries, and signed where a key is agreed upon.
 *
 * @returns undefined for a message of another kind.
 */
export async function believeNotify(
  octets: Uint8Array,
  { address, sourceOf, time }: {
    readonly address: IpAddress;
    /** Undefined: the zone is not followed. */
    readonly sourceOf: (zone: OctetString) => NotifySource | undefined;
    /** Seconds since 1970. */
    readonly time: number;
  },
): Promise<NotifyVerdict | undefined> {
  const parsed = parseMessage(octets);
  if (!parsed.ok) return undefined;
  const notify = readNotify(parsed.value, octets);
  if (notify === undefined) return undefined;
  const not = (refused: string, code: number) => ({ octets: answerCode(octets, code), refused });
  if (notify === "malformed") return not("it is malformed", ResponseCode.formatError);
  const source = sourceOf(foldCase(notify.zone));
  if (source === undefined) return not("the zone has no primary", NOT_AUTHORITATIVE);
  const { key, from } = source;
  // Before any signature is looked at: it costs more than an address does.
  if (!from.some((block) => cidrContains(block, address))) {
    return not("it is from no primary of the zone", ResponseCode.refused);
  }
  const verdict = await verifyMessage({ message: parsed.value, octets }, {
    keys: key === undefined ? [] : [key],
    time,
  });
  if (verdict.kind === "malformed") return not("it is malformed", ResponseCode.formatError);
  if (verdict.kind === "refused") {
    const head = answerCode(octets, NOT_AUTHORITATIVE);
    const answer = await answerRefused(head, { refused: verdict, time });
    return { octets: answer, refused: `its signature is refused (${verdict.error})` };
  }
  if (verdict.kind === "unsigned" && key !== undefined) {
    return not("it is not signed with the zone's key", ResponseCode.refused);
  }
  const answer = acknowledgement(octets);
  const news = { zone: notify.zone, serial: notify.serial };
  if (verdict.kind !== "verified") return { octets: answer, news };
  const requestMac = verdict.record.mac;
  const signed = await signMessage(answer, { key: verdict.key, requestMac, time });
  return { octets: signed.octets, news };
}

/** The message as an answer, with its question and nothing else (RFC 1996 §4.7). */
function acknowledgement(octets: Uint8Array): Uint8Array {
  const end = (readName(octets, HEADER_OCTETS)?.next ?? HEADER_OCTETS) + 4;
  const answer = new Uint8Array(end);
  answer.set(answerCode(octets, ResponseCode.noError));
  answer[2] = (answer[2] as number) | AUTHORITATIVE;
  answer[5] = 1;
  answer.set(octets.subarray(HEADER_OCTETS, end), HEADER_OCTETS);
  return answer;
}
