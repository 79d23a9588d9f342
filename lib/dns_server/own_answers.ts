import { CLASS_IN, MAX_MESSAGE_BYTES, TYPE } from "../dns/mod.ts";
import type { SignedZone } from "../dnssec/mod.ts";
import { AuthoritativeAnswers, type Query, type ReplyOptions, ZoneTable } from "../zones/mod.ts";
import type { ZoneServices } from "./zone_services.ts";

/** The octets of an answer; a promise where something has to be signed. */
export type OwnAnswer = Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;

/** What our own zones answer, signed where the zone is and the client asks for it. */
export class OwnAnswers {
  /** Those that are signed with their keys. */
  #zones: ZoneTable = new ZoneTable();
  #services: ZoneServices | undefined;
  readonly #answers = new AuthoritativeAnswers();
  readonly #udpPayload: number;

  /** `udpPayload`: what goes into a datagram at most, in octets. */
  constructor(udpPayload: number) {
    this.#udpPayload = udpPayload;
  }

  /** Takes other zones, between two questions. Without services nothing is signed. */
  take(zones: ZoneTable, services: ZoneServices | undefined): void {
    this.#services = services;
    this.#zones = services?.withKeys(zones) ?? zones;
  }

  /** Where the last answer's aliases lead that no zone of ours has; undefined: nowhere. */
  get outside(): AuthoritativeAnswers["outside"] {
    return this.#answers.outside;
  }

  /** An answer that no zone is asked for. */
  reply(...args: Parameters<AuthoritativeAnswers["reply"]>): Uint8Array<ArrayBuffer> {
    return this.#answers.reply(...args);
  }

  /** What the zones say. */
  answer(query: Query, reply: ReplyOptions): OwnAnswer {
    const { edns } = query;
    const services = this.#services;
    const zones = this.#zones;
    const signed = edns?.isDnssecOk === true ? this.#signedZoneOf(query) : undefined;
    if (signed === undefined || services === undefined || edns === undefined) {
      return this.#answers.answerQuery(query, { ...reply, zones });
    }
    const answer = this.#answers.answerQuery(query, { ...reply, zones, transport: "tcp" });
    const limit = reply.transport === "udp"
      ? Math.min(edns.payloadOctets, this.#udpPayload)
      : MAX_MESSAGE_BYTES;
    return services.signer.sign(answer, { signed, limit });
  }

  #signedZoneOf({ question, lookUp }: Query): SignedZone | undefined {
    const services = this.#services;
    if (services === undefined || question.class !== CLASS_IN) return undefined;
    const zone = this.#zones.of(lookUp, { isParents: question.type === TYPE.DS });
    return zone && services.signedZone(zone);
  }
}
