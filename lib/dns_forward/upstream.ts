import { formatIp, type IpAddress } from "../addr/mod.ts";
import { encodeQuery, octetsOf, type OctetString, octetString, ResponseCode } from "../dns/mod.ts";
import { type Answer, type Asked, askServer, mixCase } from "../dns_client/mod.ts";
import { FLAG } from "./query.ts";
import type { UpstreamSettings } from "./settings.ts";

/** RFC 9715 §3.1: what travels without fragments everywhere. */
const UDP_PAYLOAD = 1232;
/** Failures one after the other that make an upstream one that is down. */
const MAX_FAILURES = 2;
/** How long one that is down is not asked; doubled each time up to the longest. */
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;
/** For so long we remember that a server does not keep letters' case, or does not know EDNS. */
const QUIRK_MS = 3_600_000;

/** A question to an upstream. */
export interface UpstreamQuestion {
  /** With its case folded. */
  readonly key: OctetString;
  readonly type: number;
  readonly isDnssecOk: boolean;
  readonly isCheckingDisabled: boolean;
}

/** Of an upstream, for whoever operates it. */
export interface UpstreamStatus {
  readonly hostname: string;
  readonly port: number;
  readonly isUp: boolean;
  readonly questions: number;
  readonly failures: number;
  /** How many there were, and how long they took together. */
  readonly answers: number;
  readonly answerMs: number;
  /** Datagrams that came in the place of an answer and were none. */
  readonly strangeDatagrams: number;
  readonly keepsCase: boolean;
}

/** How messages are sent; tests replace it. */
export type Transport = (asked: Asked) => Promise<Answer>;

/** One recursive server, and what is known of it: whether it answers, and what it cannot do. */
export class Upstream {
  readonly settings: UpstreamSettings;
  readonly #now: () => number;
  readonly #transport: Transport;
  /** Names in mixed case, of questions under way. */
  readonly #asking = new Set<OctetString>();
  #questions = 0;
  #failures = 0;
  #answers = 0;
  #answerMs = 0;
  #strange = 0;
  /** One after the other, the last ones. */
  #misses = 0;
  #restsUntil = -Infinity;
  #restMs = FIRST_REST_MS;
  #isTried = false;
  #foldsCaseUntil = -Infinity;
  #withoutEdnsUntil = -Infinity;

  constructor(
    settings: UpstreamSettings,
    { now, transport = askServer }: {
      readonly now: () => number;
      readonly transport?: Transport | undefined;
    },
  ) {
    this.settings = settings;
    this.#now = now;
    this.#transport = transport;
  }

  /** Whether it answered when it was asked last, or was not asked yet. */
  get isUp(): boolean {
    return this.#misses < MAX_FAILURES;
  }

  /** When it may be asked again, while it is down. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** Whether it is down, has rested, and nobody is finding out whether it is back. */
  get isDueForTrial(): boolean {
    return !this.isUp && !this.#isTried && this.#now() >= this.#restsUntil;
  }

  get status(): UpstreamStatus {
    const { hostname, port } = this.settings;
    return {
      ...{ hostname, port, isUp: this.isUp },
      ...{ questions: this.#questions, failures: this.#failures },
      ...{ answers: this.#answers, answerMs: this.#answerMs },
      strangeDatagrams: this.#strange,
      keepsCase: this.#now() >= this.#foldsCaseUntil,
    };
  }

  /** Whether this is its address. */
  isAt(address: IpAddress): boolean {
    return this.settings.hostname === formatIp(address);
  }

  /** Whether it is being asked for a name in exactly this case, which nobody else knows. */
  hasAsked(name: OctetString): boolean {
    return this.#asking.has(name);
  }

  /**
   * Asks a question, whose id, port and case nobody can know.
   *
   * @throws {ExchangeError} and what sockets throw; when `signal` aborts, too.
   */
  async ask(question: UpstreamQuestion, signal: AbortSignal): Promise<Answer> {
    this.#questions++;
    const isTrial = !this.isUp;
    if (isTrial) this.#isTried = true;
    const askedAt = this.#now();
    try {
      const answer = await this.#askKnowingly(question, signal);
      this.#answers++;
      this.#answerMs += this.#now() - askedAt;
      this.#misses = 0;
      this.#restMs = FIRST_REST_MS;
      return answer;
    } catch (error) {
      if (!signal.aborted) this.noteFailure();
      throw error;
    } finally {
      if (isTrial) this.#isTried = false;
    }
  }

  /** It did not answer, or not in time. */
  noteFailure(): void {
    this.#failures++;
    this.#misses++;
    if (this.isUp) return;
    this.#restsUntil = this.#now() + this.#restMs;
    this.#restMs = Math.min(2 * this.#restMs, LONGEST_REST_MS);
  }

  /** RFC 6891 §7: a server that does not know EDNS says so with one of two codes. */
  async #askKnowingly(question: UpstreamQuestion, signal: AbortSignal): Promise<Answer> {
    const isPlain = this.#now() < this.#withoutEdnsUntil;
    const answer = await this.#askInCase(question, signal, !isPlain);
    const { responseCode } = answer.message.header;
    const isLost = responseCode === ResponseCode.formatError ||
      responseCode === ResponseCode.notImplemented;
    if (isPlain || !isLost) return answer;
    const plain = await this.#askInCase(question, signal, false);
    if (plain.message.header.responseCode !== responseCode) {
      this.#withoutEdnsUntil = this.#now() + QUIRK_MS;
    }
    return plain;
  }

  /**
   * Asks in mixed case. An answer in another case is believed over TCP only, where nobody can put one
   * in; there it shows, too, whether the server does that with every name. One without TCP is asked
   * once more in lower case, from another port with another id.
   */
  async #askInCase(
    question: UpstreamQuestion,
    signal: AbortSignal,
    edns: boolean,
  ): Promise<Answer> {
    const lower = octetsOf(question.key);
    const asked = (name: Uint8Array, isCaseKept: boolean) =>
      this.#asked({ name, isCaseKept, edns }, question, signal);
    if (this.#now() < this.#foldsCaseUntil) return await this.#transport(asked(lower, false));
    const mixed = asked(mixCase(lower), true);
    const before = this.#strange;
    const own = octetString(mixed.question.name);
    if (own !== question.key) this.#asking.add(own);
    let answer: Answer;
    try {
      answer = await this.#transport(mixed);
    } catch (error) {
      const strange = this.#strange - before;
      if (signal.aborted || strange === 0) throw error;
      answer = await this.#transport(asked(lower, false));
      // Not for somebody who guesses: that takes more than one.
      if (strange === 1) this.#foldsCaseUntil = this.#now() + QUIRK_MS;
      return answer;
    } finally {
      this.#asking.delete(own);
    }
    const [said] = answer.message.questions;
    const isFolded = said?.name.some((octet, i) => octet !== mixed.question.name[i]) ?? false;
    if (isFolded) this.#foldsCaseUntil = this.#now() + QUIRK_MS;
    return answer;
  }

  #asked(
    { name, isCaseKept, edns }: {
      readonly name: Uint8Array;
      readonly isCaseKept: boolean;
      readonly edns: boolean;
    },
    { type, isDnssecOk, isCheckingDisabled }: UpstreamQuestion,
    signal: AbortSignal,
  ): Asked {
    const id = crypto.getRandomValues(new Uint16Array(1))[0] as number;
    const flags = (this.settings.isTrusted ? FLAG.authenticData : 0) |
      (isCheckingDisabled ? FLAG.checkingDisabled : 0);
    const query = encodeQuery({
      ...{ id, name, type, flags },
      ...edns && { udpPayloadBytes: UDP_PAYLOAD, isDnssecOk },
    });
    return {
      ...{ server: this.settings, query, id, signal, isCaseKept },
      question: { name, type, class: 1 },
      onStrange: () => void this.#strange++,
    };
  }
}
