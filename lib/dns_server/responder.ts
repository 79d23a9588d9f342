import { type IpAddress, ipToBytes } from "../addr/mod.ts";
import {
  checkCookie,
  CLASS_IN,
  type Edns,
  type EdnsOption,
  encodeOpt,
  OPTION,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import {
  AuthoritativeAnswers,
  type Query,
  type QueryRead,
  readQuery,
  type ReplyOptions,
  ZoneTable,
} from "../zones/mod.ts";
import { joined } from "../wire/mod.ts";
import type { DnsCounters } from "./counters.ts";
import type { Forwarder } from "./forwarder.ts";
import { ResponseRate } from "./response_rate.ts";
import type { ServingSettings } from "./settings.ts";

/** Who asks, and how. */
export interface Client {
  readonly ip: IpAddress;
  readonly transport: "udp" | "tcp" | "tls";
}

/** What a question is answered; undefined: nothing. */
export type Response = Uint8Array | undefined;

/** What a {@link Responder} needs. */
export interface ResponderOptions {
  readonly settings: ServingSettings;
  readonly counters: DnsCounters;
  /** Absent: names of other zones are refused. */
  readonly forwarder?: Forwarder;
  /** Something threw that should not: a mistake that has to be mended. One question gets no answer. */
  readonly onFault: (error: unknown) => void;
  /** Milliseconds since 1970; default: `Date.now`. */
  readonly now?: () => number;
}

/** Decides what a message is answered, whatever it came over. */
export class Responder {
  /** Replaced whole, between two questions. */
  zones: ZoneTable = new ZoneTable();
  readonly #options: ResponderOptions;
  readonly #answers = new AuthoritativeAnswers();
  readonly #rate: ResponseRate;
  readonly #now: () => number;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#rate = new ResponseRate(options.settings.rate);
    this.#now = options.now ?? Date.now;
  }

  /** The answer to a message; a promise only where others have to be asked, which never rejects. */
  respond(octets: Uint8Array, client: Client): Response | Promise<Response> {
    try {
      const response = this.#respond(octets, client);
      return response instanceof Promise ? response.catch((error) => this.#fault(error)) : response;
    } catch (error) {
      return this.#fault(error);
    }
  }

  #fault(error: unknown): undefined {
    this.#options.counters.add("faults");
    this.#options.onFault(error);
  }

  #respond(octets: Uint8Array, client: Client): Response | Promise<Response> {
    const { counters } = this.#options;
    counters.add(`${client.transport}_messages`);
    const read = readQuery(octets);
    if (read.kind === "none") {
      counters.add("ignored");
      return undefined;
    }
    if (read.kind === "fault") return this.#sendFault(read.answer, client);
    if (read.kind === "cookie") return this.#sendCookie(read, client);
    const { query } = read;
    const cookie = this.#checkCookie(query.edns, client.ip);
    const reply = this.#replyOptions(client, cookie.option);
    if (client.transport === "udp" && !cookie.isValid) {
      const rating = this.#rate.rate(client.ip, this.#now());
      if (rating !== "send") return this.#overRate(rating, query, reply);
    }
    if (cookie.isMalformed) {
      return this.#count(this.#answers.reply(query, { code: ResponseCode.formatError }, reply));
    }
    if (reply.isRecursive === true && this.#isForwarded(query)) {
      return this.#forward(octets, client, reply);
    }
    return this.#count(this.#answers.answerQuery(query, { ...reply, zones: this.zones }));
  }

  #sendFault(answer: Uint8Array, { ip, transport }: Client): Response {
    // No longer than the question, but a forged source is not to be told of it for ever.
    if (transport === "udp" && this.#rate.rate(ip, this.#now()) !== "send") {
      this.#options.counters.add("rate_dropped");
      return undefined;
    }
    return this.#count(answer);
  }

  /** RFC 7873 §5.4: no question but for a cookie. */
  #sendCookie(
    { query: { edns, head }, answer }: Extract<QueryRead, { kind: "cookie" }>,
    client: Client,
  ): Response {
    const { option, isValid } = this.#checkCookie(edns, client.ip);
    if (option === undefined) return this.#sendFault(answer, client);
    const { udpPayload } = this.#options.settings;
    const opt = encodeOpt({ payloadOctets: udpPayload, isDnssecOk: false, options: [option] });
    const whole = joined([head, opt]);
    return isValid ? this.#count(whole) : this.#sendFault(whole, client);
  }

  #overRate(rating: "slip" | "drop", query: Query, reply: ReplyOptions): Response {
    const { counters } = this.#options;
    counters.add(rating === "slip" ? "rate_slipped" : "rate_dropped");
    if (rating === "drop") return undefined;
    const said = { code: ResponseCode.noError, isTruncated: true };
    return this.#count(this.#answers.reply(query, said, reply));
  }

  #replyOptions({ ip, transport }: Client, cookie: EdnsOption | undefined): ReplyOptions {
    const { settings, forwarder } = this.#options;
    return {
      transport: transport === "udp" ? "udp" : "tcp",
      udpPayload: settings.udpPayload,
      isRecursive: forwarder?.isAllowed(ip) === true,
      ...cookie !== undefined && { options: [cookie] },
    };
  }

  #checkCookie(edns: Edns | undefined, ip: IpAddress): {
    readonly isValid: boolean;
    readonly isMalformed: boolean;
    readonly option?: EdnsOption;
  } {
    const { settings: { cookieSecret: secret }, counters } = this.#options;
    const given = edns?.options.find(({ code }) => code === OPTION.cookie);
    if (given === undefined || secret === undefined) return NO_COOKIE;
    const nowSeconds = Math.floor(this.#now() / 1000);
    const check = checkCookie(given.value, { address: ipToBytes(ip), secret, nowSeconds });
    if (check.kind === "malformed") return MALFORMED_COOKIE;
    counters.add(check.kind === "valid" ? "cookies_valid" : "cookies_unknown");
    const option = { code: OPTION.cookie, value: check.answer };
    return { isValid: check.kind === "valid", isMalformed: false, option };
  }

  /** Whether it is for others to know. */
  #isForwarded({ question, lookUp, edns, recursionDesired }: Query): boolean {
    const { type } = question;
    const isOrdinary = recursionDesired && question.class === CLASS_IN &&
      (edns?.version ?? 0) === 0 && type !== TYPE.AXFR && type !== TYPE.IXFR;
    return isOrdinary && this.zones.of(lookUp, { isParents: type === TYPE.DS }) === undefined;
  }

  #forward(
    octets: Uint8Array,
    { ip }: Client,
    { transport, options = [] }: ReplyOptions,
  ): Response | Promise<Response> {
    const { counters, forwarder } = this.#options;
    counters.add("forwarded");
    const answer = forwarder?.resolve(octets, { address: ip, transport, options });
    if (!(answer instanceof Promise)) return answer && this.#count(answer);
    return answer.then((octets) => octets && this.#count(octets));
  }

  #count(answer: Uint8Array): Uint8Array {
    const { counters } = this.#options;
    counters.answered(answer);
    if (((answer[2] as number) & 2) !== 0) counters.add("truncated");
    return answer;
  }
}

const NO_COOKIE = { isValid: false, isMalformed: false } as const;
const MALFORMED_COOKIE = { isValid: false, isMalformed: true } as const;
