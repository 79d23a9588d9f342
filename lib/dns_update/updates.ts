import { answerCode, type Message, type OctetString, parseMessage } from "../dns/mod.ts";
import {
  answerRefused,
  signMessage,
  type TsigKey,
  type TsigVerdict,
  verifyMessage,
} from "../tsig/mod.ts";
import type { Zone } from "../zones/mod.ts";
import type { UpdateGrant } from "./grant.ts";
import { isUpdate, readUpdate, type Update, UPDATE_CODE } from "./message.ts";
import { planUpdate, type UpdatePlan } from "./plan.ts";

/** Changes that wait for those before them. */
const MAX_WAITING = 256;

/** Changes that a key is to make in a zone. */
export type PlannedUpdate = Extract<UpdatePlan, { readonly kind: "changed" }>;

/** What {@link Updates} stand on. */
export interface UpdatesOptions {
  /** The zone of an origin that changes are taken for. */
  readonly zoneAt: (origin: OctetString) => Zone | undefined;
  readonly keys: readonly TsigKey[];
  readonly grantsOf: (zone: Zone, key: TsigKey) => readonly UpdateGrant[];
  /** Makes the changes, all or none; throws where it cannot. */
  readonly apply: (zone: Zone, plan: PlannedUpdate, by: { readonly key: TsigKey }) => Promise<void>;
  /** Told of each message and what it came to. */
  readonly onAnswer?: (told: {
    readonly code: number;
    readonly origin?: OctetString;
    readonly key?: TsigKey;
    readonly reason?: string;
  }) => void;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** Takes messages that ask for changes, one after the other: each sees what the one before it did. */
export class Updates {
  readonly #options: UpdatesOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** The answer to a message; undefined: it asks for no changes. */
  async respond(octets: Uint8Array): Promise<Uint8Array | undefined> {
    const parsed = parseMessage(octets);
    if (!parsed.ok || !isUpdate(parsed.value)) return undefined;
    const { keys, now, onAnswer } = this.#options;
    const verdict = await verifyMessage({ message: parsed.value, octets }, { keys, time: now() });
    if (verdict.kind === "refused") {
      onAnswer?.({ code: UPDATE_CODE.notAuth, reason: `TSIG error ${verdict.error}` });
      const head = answerCode(octets, UPDATE_CODE.notAuth);
      return await answerRefused(head, { refused: verdict, time: now() });
    }
    if (verdict.kind === "malformed") return answerCode(octets, UPDATE_CODE.formatError);
    // Whoever has no key changes nothing, wherever he is: addresses are what he says they are.
    if (verdict.kind === "unsigned") {
      onAnswer?.({ code: UPDATE_CODE.refused, reason: "not signed" });
      return answerCode(octets, UPDATE_CODE.refused);
    }
    const code = await this.#inTurn(() => this.#answer(parsed.value, octets, verdict));
    const { key, record } = verdict;
    const signed = await signMessage(answerCode(octets, code), {
      ...{ key, requestMac: record.mac, time: now() },
    });
    return signed.octets;
  }

  async #inTurn(body: () => Promise<number>): Promise<number> {
    if (this.#waiting >= MAX_WAITING) return UPDATE_CODE.serverFailure;
    this.#waiting++;
    const turn = this.#last.then(body);
    this.#last = turn.catch(() => {}); // Whoever waits for it hears of it.
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #answer(
    message: Message,
    octets: Uint8Array,
    { key }: Extract<TsigVerdict, { readonly kind: "verified" }>,
  ): Promise<number> {
    const { zoneAt, onAnswer } = this.#options;
    const update = readUpdate(message, octets);
    if (typeof update === "number") {
      onAnswer?.({ code: update, key, reason: "malformed" });
      return update;
    }
    const { origin } = update;
    const zone = zoneAt(origin);
    if (zone === undefined) {
      onAnswer?.({ code: UPDATE_CODE.notAuth, origin, key, reason: "no zone for changes" });
      return UPDATE_CODE.notAuth;
    }
    const { code, reason } = await this.#change(zone, update, key);
    onAnswer?.({ code, origin, key, ...reason !== undefined && { reason } });
    return code;
  }

  async #change(
    zone: Zone,
    update: Update,
    key: TsigKey,
  ): Promise<{ readonly code: number; readonly reason?: string }> {
    const { grantsOf, apply } = this.#options;
    const plan = planUpdate(zone, update, grantsOf(zone, key));
    if (plan.kind === "refused") return plan;
    if (plan.kind === "unchanged") return { code: UPDATE_CODE.noError };
    try {
      await apply(zone, plan, { key });
      return { code: UPDATE_CODE.noError };
    } catch (error) {
      return { code: UPDATE_CODE.serverFailure, reason: String(error) };
    }
  }
}
