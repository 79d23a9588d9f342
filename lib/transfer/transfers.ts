import { type Cidr, cidrContains, type IpAddress } from "../addr/mod.ts";
import {
  answerCode,
  type Message,
  nameEquals,
  octetsOf,
  type OctetString,
  parseMessage,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import {
  answerRefused,
  type TsigKey,
  TsigStream,
  type TsigVerdict,
  verifyMessage,
} from "../tsig/mod.ts";
import type { Zone } from "../zones/mod.ts";
import { readTransferQuery, type TransferQuery } from "./query.ts";
import { type Step, transferMessages } from "./writer.ts";

const NOT_AUTHORITATIVE = 9;

/** Who may have a zone as a whole. Both empty: nobody. */
export interface TransferAccess {
  readonly addresses: readonly Cidr[];
  /** Names of keys, in lower case, each of which may from anywhere. */
  readonly keys: readonly OctetString[];
}

/** Who asks. */
export interface TransferClient {
  readonly address: IpAddress;
  readonly transport: "udp" | "tcp";
}

/** The messages that answer a question. */
export interface TransferReply {
  readonly zone?: Zone;
  /** The key that the question was signed with. */
  readonly key?: TsigKey;
  readonly code: number;
  readonly messages: AsyncIterable<Uint8Array>;
}

/** What {@link Transfers} stand on. */
export interface TransfersOptions {
  /** The zone of an origin. */
  readonly zoneAt: (origin: OctetString) => Zone | undefined;
  readonly accessOf: (zone: Zone) => TransferAccess;
  readonly keys: readonly TsigKey[];
  /** What changed since a serial. */
  readonly journal?: (zone: Zone, serial: number) => Promise<readonly Step[] | undefined>;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** Answers questions for whole zones, and for what changed in them. */
export class Transfers {
  readonly #options: TransfersOptions;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** The answer to a message; undefined: it is a question for something else. */
  async respond(octets: Uint8Array, client: TransferClient): Promise<TransferReply | undefined> {
    const parsed = parseMessage(octets);
    if (!parsed.ok) return undefined;
    const query = readTransferQuery(parsed.value, octets);
    if (query === undefined) return undefined;
    const only = (code: number) => ({ code, messages: one(answerCode(octets, code)) });
    if (query === "malformed") return only(ResponseCode.formatError);
    const verdict = await this.#verify(parsed.value, octets);
    if (verdict.kind === "malformed") return only(ResponseCode.formatError);
    if (verdict.kind === "refused") {
      const head = answerCode(octets, NOT_AUTHORITATIVE);
      const answer = await answerRefused(head, { refused: verdict, time: this.#options.now() });
      return { code: NOT_AUTHORITATIVE, messages: one(answer) };
    }
    const zone = this.#options.zoneAt(query.zone);
    const code = this.#codeFor(query, zone, { client, verdict });
    const key = verdict.kind === "verified" ? verdict.key : undefined;
    const of = { ...key && { key }, ...zone && { zone }, code };
    if (zone === undefined || code !== ResponseCode.noError) {
      return { ...of, messages: this.#signed([answerCode(octets, code)], verdict) };
    }
    const steps = query.serial === undefined
      ? undefined
      : await this.#options.journal?.(zone, query.serial);
    const { transport } = client;
    const messages = transferMessages(query, { zone, steps, transport });
    return { ...of, messages: this.#signed(messages, verdict) };
  }

  #verify(message: Message, octets: Uint8Array): Promise<TsigVerdict> {
    const { keys, now } = this.#options;
    return verifyMessage({ message, octets }, { keys, time: now() });
  }

  #codeFor(
    query: TransferQuery,
    zone: Zone | undefined,
    { client, verdict }: { readonly client: TransferClient; readonly verdict: TsigVerdict },
  ): number {
    // A whole zone never goes to an address that nobody has shown to be his (RFC 5936 §4.2).
    if (query.type === TYPE.AXFR && client.transport === "udp") return ResponseCode.refused;
    // Whether there is such a zone is not for everybody to know by its transfer.
    if (zone === undefined) return NOT_AUTHORITATIVE;
    const { addresses, keys } = this.#options.accessOf(zone);
    const isKnown = verdict.kind === "verified" &&
      keys.some((name) => nameEquals(octetsOf(name), verdict.key.name));
    const isNear = addresses.some((block) => cidrContains(block, client.address));
    if (!isKnown && !isNear) return ResponseCode.refused;
    // RFC 5936 §2.2.1: what nobody vouches for is not passed on.
    return zone.isExpired === true ? ResponseCode.serverFailure : ResponseCode.noError;
  }

  async *#signed(
    messages: Iterable<Uint8Array<ArrayBuffer>>,
    verdict: TsigVerdict,
  ): AsyncGenerator<Uint8Array> {
    if (verdict.kind !== "verified") return yield* messages;
    const stream = new TsigStream(verdict.key, verdict.record.mac);
    for (const message of messages) yield await stream.sign(message, this.#options.now());
  }
}

async function* one(message: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(message);
}
