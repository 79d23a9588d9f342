import { blockOf, type Cidr, cidrContains, type IpAddress, ipToBytes } from "../addr/mod.ts";
import { checkCookie, CLASS_IN, type EdnsOption, OPTION, ResponseCode, TYPE } from "../dns/mod.ts";
import {
  AuthoritativeAnswers,
  type Query,
  readQuery,
  type ReplyOptions,
  ZoneTable,
} from "../zones/mod.ts";
import type { DnsCounters } from "./counters.ts";
import type { Forwarder } from "./forwarder.ts";
import { type Passage, passOn } from "./passed_answer.ts";
import { ResponseRate } from "./response_rate.ts";
import type { ServingSettings } from "./settings.ts";

/**
 * Questions that are being forwarded at one time. More are answered SERVFAIL: they would only wait
 * for each other.
 */
const MAX_FORWARDED = 4096;

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
  readonly #allowed: readonly Cidr[];
  readonly #now: () => number;
  #forwarded = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#rate = new ResponseRate(options.settings.rate);
    this.#allowed = options.settings.allowRecursion.map((text) => blockOf(text, "recursion"));
    this.#now = options.now ?? Date.now;
  }

  /** The answer to a message; a promise only where others have to be asked. */
  respond(octets: Uint8Array, client: Client): Response | Promise<Response> {
    const { counters } = this.#options;
    counters.add(`${client.transport}_messages`);
    const read = readQuery(octets);
    if (read.kind === "none") {
      counters.add("ignored");
      return undefined;
    }
    if (read.kind === "fault") return this.#sendFault(read.answer, client);
    const { query } = read;
    const cookie = this.#checkCookie(query, client.ip);
    const reply = this.#replyOptions(client, cookie.option);
    if (client.transport === "udp" && !cookie.isValid) {
      const rating = this.#rate.rate(client.ip, this.#now());
      if (rating !== "send") return this.#overRate(rating, query, reply);
    }
    if (cookie.isMalformed) {
      return this.#count(this.#answers.reply(query, { code: ResponseCode.formatError }, reply));
    }
    if (reply.isRecursive === true && this.#isForwarded(query)) {
      return this.#forward(octets, query, { client, reply });
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
      isRecursive: forwarder !== undefined &&
        this.#allowed.some((block) => cidrContains(block, ip)),
      ...cookie !== undefined && { options: [cookie] },
    };
  }

  #checkCookie({ edns }: Query, ip: IpAddress): {
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

  async #forward(
    octets: Uint8Array,
    query: Query,
    { client, reply }: { readonly client: Client; readonly reply: ReplyOptions },
  ): Promise<Response> {
    const { counters, forwarder } = this.#options;
    if (this.#forwarded >= MAX_FORWARDED) {
      counters.add("forward_shed");
      return this.#count(this.#failed(query, { reply, code: SERVER_FAILURE }));
    }
    counters.add("forwarded");
    this.#forwarded++;
    try {
      // What was read is read over while this waits.
      const answer = await forwarder?.resolve(octets.slice(), client.ip);
      const passage: Passage = { ...reply, edns: query.edns };
      const passed = answer === undefined ? undefined : passOn(answer, passage);
      if (answer === undefined) return this.#count(this.#failed(query, { reply, code: REFUSED }));
      if (passed !== undefined) return this.#count(passed);
      const said = { code: ResponseCode.noError, isTruncated: true };
      return this.#count(this.#answers.reply(query, said, reply));
    } finally {
      this.#forwarded--;
    }
  }

  #failed(
    query: Query,
    { reply, code }: { readonly reply: ReplyOptions; readonly code: number },
  ): Uint8Array {
    return this.#answers.reply(query, { code }, reply);
  }

  #count(answer: Uint8Array): Uint8Array {
    const { counters } = this.#options;
    counters.answered(answer);
    if (((answer[2] as number) & 2) !== 0) counters.add("truncated");
    return answer;
  }
}

const SERVER_FAILURE = 2;
const REFUSED = 5;
const NO_COOKIE = { isValid: false, isMalformed: false } as const;
const MALFORMED_COOKIE = { isValid: false, isMalformed: true } as const;
