import { type Cidr, cidrContains, type IpAddress, sourceKey } from "../addr/mod.ts";
import { CLASS_IN, isDataType, type OctetString, ResponseCode } from "../dns/mod.ts";
import { AnswerCache, type CacheSize, type Entry } from "./cache.ts";
import { type Group, Groups } from "./groups.ts";
import { Inquiries, type Inquiry, type InquiryOptions } from "./inquiries.ts";
import { isBelow } from "./names.ts";
import { WaitingPlaces } from "./places.ts";
import { type ClientQuery, FLAG, readQuery } from "./query.ts";
import {
  type ClientSide,
  ednsProblem,
  renderCode,
  renderHead,
  renderReply,
  type Reply,
} from "./reply.ts";
import { DEFAULT_FORWARD_LIMITS, type ForwardLimits, type ForwardSettings } from "./settings.ts";
import type { Transport, UpstreamStatus } from "./upstream.ts";

/** RFC 8767 §5, "client response timer": those who ask wait no longer where there is a stale answer. */
const STALE_ANSWER_MS = 1800;
/** RFC 8767 §5.2: what the TTL of a stale answer says. */
const STALE_TTL = 30;
/** RFC 8914 §4: Stale Answer, No Reachable Authority. */
const EXTENDED = { stale: 3, unreachable: 22 } as const;
const EXTENDED_ERROR_OPTION = 15;
const ROOT: OctetString = "\0";

/** Who asks. */
export interface ForwardClient extends ClientSide {
  readonly address: IpAddress;
}

/** What tests replace. */
export interface ForwarderOptions extends InquiryOptions {
  /** Milliseconds from any point. */
  readonly now?: () => number;
  readonly transport?: Transport;
  readonly staleAnswerMs?: number;
}

/** What has been done so far. */
export interface ForwardCounts {
  readonly hits: number;
  readonly misses: number;
  /** Of the misses, those that found the same question under way. */
  readonly joined: number;
  readonly stale: number;
  readonly failures: number;
  readonly refused: number;
  /** Turned away because too many wait already. */
  readonly busy: number;
  /** Questions of ours that came back. */
  readonly loops: number;
}

/** Of a forwarder, for whoever operates it. */
export interface ForwardStatus {
  readonly counts: ForwardCounts;
  readonly cache: CacheSize;
  readonly waiting: number;
  readonly questions: number;
  readonly zones: readonly { readonly zone: OctetString; readonly upstreams: UpstreamStatus[] }[];
}

/** Passes questions of those who may ask on to recursive servers, and remembers what they answer. */
export class Forwarder implements Disposable {
  readonly #limits: ForwardLimits;
  readonly #options: ForwarderOptions;
  readonly #now: () => number;
  readonly #groups: Groups;
  readonly #cache: AnswerCache;
  readonly #places: WaitingPlaces;
  readonly #inquiries: Inquiries;
  readonly #counts = { hits: 0, misses: 0, stale: 0, failures: 0, refused: 0, busy: 0, loops: 0 };
  #allowed: readonly Cidr[] = [];

  constructor(settings: ForwardSettings, options: ForwarderOptions = {}) {
    this.#limits = { ...DEFAULT_FORWARD_LIMITS, ...settings.limits };
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#groups = new Groups({ now: this.#now, transport: options.transport });
    this.#cache = new AnswerCache(this.#limits);
    const { waiting: most, waitingPerSource: mostPerSource } = this.#limits;
    this.#places = new WaitingPlaces({ most, mostPerSource });
    this.#inquiries = new Inquiries(options, {
      ...{ groups: this.#groups, cache: this.#cache, now: this.#now },
      most: this.#limits.questions,
    });
    this.update(settings);
  }

  /** Other upstreams and clients; limits stay. What is known of upstreams that stay is kept. */
  update(settings: ForwardSettings): void {
    this.#allowed = settings.allowRecursion;
    if (this.#groups.update(settings)) this.forget();
  }

  /** Whether somebody may have names looked up. */
  isAllowed(address: IpAddress): boolean {
    return this.#allowed.some((block) => cidrContains(block, address));
  }

  /**
   * The answer to a message; undefined: it gets none, as it is no question at all. At once where it
   * is known.
   */
  resolve(
    octets: Uint8Array,
    client: ForwardClient,
  ): Uint8Array<ArrayBuffer> | undefined | Promise<Uint8Array<ArrayBuffer>> {
    const query = readQuery(octets);
    if (query === "response") return undefined;
    if (query === "malformed") return renderHead(octets, ResponseCode.formatError);
    if (query === "other_opcode") return renderHead(octets, ResponseCode.notImplemented);
    const problem = ednsProblem(query);
    if (problem !== undefined) return renderCode(query, problem, client);
    const group = this.#groupFor(query, client);
    if (group === undefined) {
      this.#counts.refused++;
      return renderCode(query, ResponseCode.refused, client);
    }
    const key = cacheKey(query);
    const now = this.#now();
    const entry = this.#cache.get(key, now);
    if (entry !== undefined && now < entry.expiresAt) {
      this.#counts.hits++;
      const age = { seconds: Math.floor((now - entry.storedAt) / 1000) };
      return renderReply(entry.reply, query, { side: client, age });
    }
    return this.#resolveAnew({ query, key, group, entry }, client);
  }

  /** Forgets answers: all, or those about a name (its case folded) and what is below it. */
  forget(name: OctetString = ROOT): number {
    this.#inquiries.forget();
    return this.#cache.forget((key) => isBelow(key.slice(0, key.lastIndexOf(ROOT) + 1), name));
  }

  get status(): ForwardStatus {
    return {
      counts: { ...this.#counts, joined: this.#inquiries.joined },
      cache: this.#cache.size,
      waiting: this.#places.taken,
      questions: this.#inquiries.size,
      zones: [...this.#groups.all].map(({ zone, upstreams }) => ({
        zone,
        upstreams: upstreams.map(({ status }) => status),
      })),
    };
  }

  /** Questions under way end. */
  [Symbol.dispose](): void {
    this.#inquiries[Symbol.dispose]();
  }

  /** Whom to ask; undefined: nobody, the client is refused. */
  #groupFor(query: ClientQuery, { address }: ForwardClient): Group | undefined {
    if (!this.isAllowed(address)) return undefined;
    // Without RD it is not us who is asked, and what we know is nobody's business (cache snooping).
    if ((query.flags & FLAG.recursionDesired) === 0) return undefined;
    if (query.class !== CLASS_IN || !isDataType(query.type)) return undefined;
    return this.#groups.of(query.key);
  }

  #resolveAnew(
    { query, key, group, entry }: Missed,
    client: ForwardClient,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    const now = this.#now();
    if (entry !== undefined && now < entry.retryAt) return this.#stale(entry, query, client);
    const failed = this.#inquiries.hasFailed(key);
    const place = failed ? undefined : this.#places.take(sourceKey(client.address));
    if (isLoop(group, query, client)) {
      this.#counts.loops++;
      place?.[Symbol.dispose]();
      return renderCode(query, ResponseCode.refused, client);
    }
    const asked = place && this.#inquiries.join({ query, key, group });
    if (place === undefined || asked === undefined) {
      place?.[Symbol.dispose]();
      if (!failed) this.#counts.busy++;
      return entry === undefined ? this.#fail(query, client) : this.#stale(entry, query, client);
    }
    this.#counts.misses++;
    return this.#wait({ asked, place, query, entry }, client);
  }

  async #wait(
    { asked, place, query, entry }: {
      readonly asked: Promise<Reply>;
      readonly place: Disposable;
      readonly query: ClientQuery;
      readonly entry: Entry | undefined;
    },
    client: ForwardClient,
  ): Promise<Uint8Array<ArrayBuffer>> {
    using _place = place;
    try {
      const reply = entry === undefined
        ? await asked
        : await inTime(asked, this.#options.staleAnswerMs ?? STALE_ANSWER_MS);
      if (reply !== undefined) {
        return renderReply(reply, query, { side: client, age: { seconds: 0 } });
      }
    } catch {
      // The upstreams' failures are counted where they happen.
    }
    return entry === undefined ? this.#fail(query, client) : this.#stale(entry, query, client);
  }

  #stale(entry: Entry, query: ClientQuery, client: ForwardClient): Uint8Array<ArrayBuffer> {
    this.#counts.stale++;
    const side = withError(client, EXTENDED.stale);
    return renderReply(entry.reply, query, { side, age: { staleTtl: STALE_TTL } });
  }

  #fail(query: ClientQuery, client: ForwardClient): Uint8Array<ArrayBuffer> {
    this.#counts.failures++;
    const side = withError(client, EXTENDED.unreachable);
    return renderCode(query, ResponseCode.serverFailure, side);
  }
}

/** A question to which nothing is known that holds. */
interface Missed extends Inquiry {
  /** What ended. */
  readonly entry: Entry | undefined;
}

/**
 * What is the same for questions with the same answer. DNSSEC's records and what was not validated
 * are for those alone who want them.
 */
function cacheKey({ key, type, edns, flags }: ClientQuery): string {
  const bits = (edns?.isDnssecOk === true ? 1 : 0) |
    ((flags & FLAG.checkingDisabled) !== 0 ? 2 : 0);
  return `${key}${4 * type + bits}`;
}

/** Whether a question of ours has come back: an upstream asks it, in the case that we drew by lot. */
function isLoop({ upstreams }: Group, { name }: ClientQuery, { address }: ForwardClient): boolean {
  return upstreams.some((upstream) => upstream.isAt(address) && upstream.hasAsked(name));
}

function withError(side: ClientSide, code: number): ClientSide {
  const option = { code: EXTENDED_ERROR_OPTION, value: Uint8Array.of(0, code) };
  return { ...side, options: [...side.options ?? [], option] };
}

/** What is promised; undefined if it takes longer. */
async function inTime<T>(promised: Promise<T>, ms: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
