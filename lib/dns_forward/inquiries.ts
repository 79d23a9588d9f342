import { MessageWriter, type OctetString } from "../dns/mod.ts";
import { ExchangeError } from "../dns_client/mod.ts";
import type { AnswerCache } from "./cache.ts";
import { type Facts, readFacts } from "./facts.ts";
import { askGroup, DEADLINE_MS, tryAgain } from "./group.ts";
import type { Group, Groups } from "./groups.ts";
import { type ClientQuery, FLAG } from "./query.ts";
import { composeReply, type Reply } from "./reply.ts";

/** RFC 9520 §3.2: a failure is remembered too, or everybody who asks makes it worse. */
const FAILURE_MS = 2000;
/** Failures that are remembered. */
const MAX_FAILURES = 10_000;
/** Names that an alias may lead over, each of which takes a question of its own. */
const MAX_CHASED = 8;

/** What tests have less of, in milliseconds. */
export interface InquiryOptions {
  readonly patienceMs?: number;
  readonly deadlineMs?: number;
}

/** A question that upstreams are asked. */
export interface Inquiry {
  readonly query: ClientQuery;
  /** The same for all questions that have the same answer. */
  readonly key: string;
  readonly group: Group;
}

/** What {@link Inquiries} stand on. */
export interface InquiryParts {
  readonly groups: Groups;
  readonly cache: AnswerCache;
  readonly now: () => number;
  /** Under way at a time. */
  readonly most: number;
}

/** Questions to upstreams that are under way: one for all who ask the same. */
export class Inquiries implements Disposable {
  readonly #options: InquiryOptions;
  readonly #parts: InquiryParts;
  readonly #writer = new MessageWriter();
  readonly #underWay = new Map<string, Promise<Reply>>();
  /** Until when a question is not asked again. */
  readonly #failedUntil = new Map<string, number>();
  readonly #closing = new AbortController();
  /** Questions that found the same one under way. */
  joined = 0;

  constructor(options: InquiryOptions, parts: InquiryParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** How many there are. */
  get size(): number {
    return this.#underWay.size;
  }

  /** Whether a question failed just now. */
  hasFailed(key: string): boolean {
    return (this.#failedUntil.get(key) ?? -Infinity) > this.#parts.now();
  }

  /** Forgets failures. */
  forget(): void {
    this.#failedUntil.clear();
  }

  /** The answer to a question, which is remembered, too; undefined: too many are under way. */
  join(inquiry: Inquiry): Promise<Reply> | undefined {
    const { key } = inquiry;
    const known = this.#underWay.get(key);
    if (known !== undefined) this.joined++;
    if (known !== undefined || this.#underWay.size >= this.#parts.most) return known;
    const asked = this.#ask(inquiry).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }

  /** Questions under way end. */
  [Symbol.dispose](): void {
    this.#closing.abort(new DOMException("the forwarder is closed", "AbortError"));
  }

  async #ask({ query, key, group }: Inquiry): Promise<Reply> {
    const { now, cache } = this.#parts;
    try {
      const endsAt = now() + (this.#options.deadlineMs ?? DEADLINE_MS);
      const facts = await this.#find(query, group, { seen: [query.key], endsAt });
      const reply = composeReply(this.#writer, query, facts);
      if (reply === undefined) throw new ExchangeError("invalid", "the answer is too long");
      this.#failedUntil.delete(key);
      cache.set(key, reply, now());
      return reply;
    } catch (error) {
      this.#noteFailure(key);
      throw error;
    }
  }

  #noteFailure(key: string): void {
    const now = this.#parts.now();
    this.#parts.cache.noteFailure(key, now);
    this.#failedUntil.delete(key);
    this.#failedUntil.set(key, now + FAILURE_MS);
    if (this.#failedUntil.size <= MAX_FAILURES) return;
    this.#failedUntil.delete(this.#failedUntil.keys().next().value as string);
  }

  /** Asks, and asks on where an alias leads to a name of which others know. */
  async #find(
    query: ClientQuery,
    group: Group,
    { seen, endsAt }: { readonly seen: readonly OctetString[]; readonly endsAt: number },
  ): Promise<Facts> {
    const { groups, now } = this.#parts;
    const key = seen.at(-1) as OctetString;
    const isDnssecOk = query.edns?.isDnssecOk === true;
    const isCheckingDisabled = (query.flags & FLAG.checkingDisabled) !== 0;
    const question = { key, type: query.type, isDnssecOk, isCheckingDisabled };
    const { signal } = this.#closing;
    const deadlineMs = Math.max(1, endsAt - now());
    for (const upstream of group.upstreams) {
      // Where none is up, it is one of those who are asked.
      if (!upstream.isDueForTrial || group.upstreams.every(({ isUp }) => !isUp)) continue;
      tryAgain(upstream, question, { signal, deadlineMs }).catch(() => {}); // It does not throw.
    }
    const facts = await askGroup(group.upstreams, question, {
      ...{ signal, now, deadlineMs, patienceMs: this.#options.patienceMs },
      read: ({ message, bytes }, { settings: { isTrusted } }) =>
        readFacts(message, bytes, {
          ...{ key, type: query.type, isDnssecOk, isTrusted },
          isTheirs: (name) => groups.of(name) === group,
        }),
    });
    const { next } = facts;
    const theirs = next === undefined ? undefined : groups.of(next);
    if (next === undefined || theirs === undefined) return facts;
    if (seen.includes(next) || seen.length >= MAX_CHASED) return facts;
    return joined(facts, await this.#find(query, theirs, { seen: [...seen, next], endsAt }));
  }
}

/** An alias, and what it leads to. */
function joined(first: Facts, rest: Facts): Facts {
  return {
    ...rest,
    answers: [...first.answers, ...rest.answers],
    ttl: Math.min(first.ttl, rest.ttl),
    isAuthentic: first.isAuthentic && rest.isAuthentic,
  };
}
