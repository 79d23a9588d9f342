import type { IpAddress } from "../addr/mod.ts";
import {
  answerCode,
  CLASS_IN,
  type EdnsOption,
  encodeOpt,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import {
  type Query,
  type QueryRead,
  readQuery,
  type ReplyOptions,
  ZoneTable,
} from "../zones/mod.ts";
import { joined } from "../wire/mod.ts";
import { CookieChecks } from "./cookie_checks.ts";
import type { DnsCounters } from "./counters.ts";
import type { Forwarder } from "./forwarder.ts";
import { OutsideAliases } from "./outside.ts";
import { OwnAnswers } from "./own_answers.ts";
import { ResponseRate } from "./response_rate.ts";
import type { ServingSettings } from "./settings.ts";
import { mayBeSpecial, type ZoneServices } from "./zone_services.ts";

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
  /** Absent: nothing is signed, and no zone leaves as a response. */
  readonly services?: ZoneServices;
  /** Something threw that should not: a mistake that has to be mended. One question gets no answer. */
  readonly onFault: (error: unknown) => void;
  /** Milliseconds since 1970; default: `Date.now`. */
  readonly now?: () => number;
}

/** Decides what a message is answered, whatever it came over. */
export class Responder {
  #zones: ZoneTable = new ZoneTable();
  readonly #options: ResponderOptions;
  readonly #answers: OwnAnswers;
  readonly #cookies: CookieChecks;
  #aliases: OutsideAliases;
  #forwarder: Forwarder | undefined;
  #services: ZoneServices | undefined;
  readonly #rate: ResponseRate;
  readonly #now: () => number;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#forwarder = options.forwarder;
    this.#services = options.services;
    this.#aliases = this.#createAliases();
    this.#rate = new ResponseRate(options.settings.rate);
    this.#now = options.now ?? Date.now;
    const { counters, settings: { udpPayload, cookieSecret: secret } } = options;
    this.#answers = new OwnAnswers(udpPayload);
    this.#answers.take(this.#zones, this.#services);
    this.#cookies = new CookieChecks({ secret, counters, now: this.#now });
  }

  /** Takes another forwarder and other services, between two questions. */
  reconfigure({ forwarder, services }: Pick<ResponderOptions, "forwarder" | "services">): void {
    this.#forwarder = forwarder;
    this.#services = services;
    this.#aliases = this.#createAliases();
    this.zones = this.#zones;
  }

  #createAliases(): OutsideAliases {
    const { counters, settings: { udpPayload } } = this.#options;
    return new OutsideAliases({ counters, forwarder: this.#forwarder, udpPayload });
  }

  /** Replaced response, between two questions. */
  get zones(): ZoneTable {
    return this.#zones;
  }

  set zones(zones: ZoneTable) {
    this.#zones = zones;
    this.#answers.take(zones, this.#services);
  }

  /**
   * The messages that answer a question for a zone as a response, over TCP; undefined: it is another one,
   * for {@link respond}. They end early if something fails under way.
   */
  respondAtLength(octets: Uint8Array, client: Client): AsyncIterable<Uint8Array> | undefined {
    const { counters } = this.#options;
    const services = this.#services;
    if (services === undefined || client.transport === "udp") return undefined;
    if (mayBeSpecial(octets) !== "transfer") return undefined;
    counters.add(`${client.transport}_messages`);
    return this.#transfer(services, octets.slice(), client);
  }

  async *#transfer(
    services: ZoneServices,
    octets: Uint8Array,
    { ip, transport }: Client,
  ): AsyncGenerator<Uint8Array> {
    const reply = await services.transfer(octets, {
      ...{ address: ip, zones: this.#zones },
      transport: transport === "udp" ? "udp" : "tcp",
    });
    if (reply === undefined) return yield this.#count(answerCode(octets, ResponseCode.formatError));
    const isSent = reply !== "busy" && reply.code === ResponseCode.noError;
    this.#options.counters.add(isSent ? "transfers_sent" : "transfers_refused");
    if (reply === "busy") return yield this.#count(answerCode(octets, ResponseCode.serverFailure));
    let isFirst = true;
    for await (const message of reply.messages) {
      yield isFirst ? this.#count(message) : message;
      isFirst = false;
    }
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
    const services = this.#services;
    const special = services && mayBeSpecial(octets);
    return services === undefined || special === undefined
      ? this.#respondPlainly(octets, client)
      : this.#respondSpecially(services, { octets, special }, client);
  }

  /** What few ask for: a signed answer, changes of a zone over UDP, or something to be changed. */
  #respondSpecially(
    services: ZoneServices,
    { octets, special }: {
      readonly octets: Uint8Array;
      readonly special: Exclude<ReturnType<typeof mayBeSpecial>, undefined>;
    },
    client: Client,
  ): Response | Promise<Response> {
    const isUdp = client.transport === "udp";
    // A signature takes a while to look at: not for whoever floods us with them.
    if (isUdp && this.#rate.rate(client.ip, this.#now()) !== "send") {
      this.#options.counters.add("rate_dropped");
      return undefined;
    }
    const own = octets.slice(); // The next message takes the place of this one.
    if (special === "relayed") {
      const answer = services.relay(own, client.ip)?.then((octets) => this.#count(octets));
      return answer ?? this.#respondPlainly(own, client);
    }
    if (special === "transfer") return firstOf(this.#transfer(services, own, client));
    const respond = (unsigned: Uint8Array) => this.#respondPlainly(unsigned, client);
    return services.respondSigned(own, { transport: isUdp ? "udp" : "tcp", respond })
      .then((response) => response.kind === "answer" ? response.octets : respond(own));
  }

  #respondPlainly(octets: Uint8Array, client: Client): Response | Promise<Response> {
    const { counters } = this.#options;
    const read = readQuery(octets);
    if (read.kind === "none") {
      counters.add("ignored");
      return undefined;
    }
    if (read.kind === "fault") return this.#sendFault(read.answer, client);
    if (read.kind === "cookie") return this.#sendCookie(read, client);
    const { query } = read;
    const cookie = this.#cookies.check(query.edns, client.ip);
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
    return this.#answer(query, reply, { octets, client });
  }

  #answer(
    query: Query,
    reply: ReplyOptions,
    { octets, client }: { readonly octets: Uint8Array; readonly client: Client },
  ): Response | Promise<Response> {
    const own = this.#answers.answer(query, reply);
    if (
      this.#answers.outside === undefined || reply.isRecursive !== true || !query.recursionDesired
    ) {
      return own instanceof Promise ? own.then((octets) => this.#count(octets)) : this.#count(own);
    }
    const flags = octets[3] as number;
    return this.#aliases.answer(query, reply, {
      ...{ flags, address: client.ip, zones: this.#zones },
      alone: (asked) => {
        const pending = this.#answers.answer(asked, { ...reply, transport: "tcp" });
        return { pending, outside: this.#answers.outside };
      },
    }).then((octets) => this.#count(octets));
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
    const { option, isValid } = this.#cookies.check(edns, client.ip);
    if (option === undefined) return this.#sendFault(answer, client);
    const { udpPayload } = this.#options.settings;
    const opt = encodeOpt({ payloadOctets: udpPayload, isDnssecOk: false, options: [option] });
    const response = joined([head, opt]);
    return isValid ? this.#count(response) : this.#sendFault(response, client);
  }

  #overRate(rating: "slip" | "drop", query: Query, reply: ReplyOptions): Response {
    const { counters } = this.#options;
    counters.add(rating === "slip" ? "rate_slipped" : "rate_dropped");
    if (rating === "drop") return undefined;
    const said = { code: ResponseCode.noError, isTruncated: true };
    return this.#count(this.#answers.reply(query, said, reply));
  }

  #replyOptions({ ip, transport }: Client, cookie: EdnsOption | undefined): ReplyOptions {
    const { settings } = this.#options;
    return {
      transport: transport === "udp" ? "udp" : "tcp",
      udpPayload: settings.udpPayload,
      isRecursive: this.#forwarder?.isAllowed(ip) === true,
      ...cookie !== undefined && { options: [cookie] },
    };
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
    this.#options.counters.add("forwarded");
    const answer = this.#forwarder?.resolve(octets, { address: ip, transport, options });
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

async function firstOf(messages: AsyncIterable<Uint8Array>): Promise<Response> {
  for await (const message of messages) return message;
  return undefined;
}
