import type { Proof } from "../acme/mod.ts";
import type { KeptProof } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ChallengeSnapshot } from "../plane/mod.ts";
import { challengeOf, type NameProver } from "./kept_proofs.ts";
import type { ServedState } from "./served_state.ts";

const OPERATION = { actor: "mc-proxy", action: "ProveName" };

/** What is missing where names are proved by http-01 and nobody listens for it. */
export const NO_LISTENER_FOR_HTTP01 =
  'http-01 needs a listener with kind = "redirect", at port 80 of the names, and there is none';

/** What another proxy of the group has to prove. */
export interface OtherProof extends KeptProof {
  /** Of the proof. */
  readonly id: string;
  readonly name: string;
}

/**
 * Shows proofs by tls-alpn-01 or http-01: the data plane answers validators with them. There are never
 * more than there are orders at one time.
 */
export class ChallengeBoard implements NameProver {
  readonly type: ChallengeSnapshot["type"];
  readonly #state: ServedState;
  readonly #log: LogSink;
  readonly #now: () => number;
  readonly #pending = new Map<string, ChallengeSnapshot>();
  /** Of other proxies, by id. */
  #others: ReadonlyMap<string, ChallengeSnapshot> = new Map();

  constructor(
    type: ChallengeSnapshot["type"],
    options: {
      readonly state: ServedState;
      readonly log: LogSink;
      readonly now: () => number;
    },
  ) {
    this.type = type;
    this.#state = options.state;
    this.#log = options.log;
    this.#now = options.now;
    // Those that are shown already are of orders to be gone on with; `hide` ends them as any other.
    for (const each of options.state.snapshot.challenges ?? []) this.#pending.set(each.name, each);
  }

  /** Resolves when all workers that are on time answer with it. */
  async show({ name, token, keyAuthorization }: Proof): Promise<void> {
    const proof = { type: this.type, token, keyAuthorization };
    const challenge = await challengeOf(name, proof, this.#now());
    if (challenge === undefined) return;
    this.#pending.set(name, challenge);
    await this.#apply();
  }

  hide({ name }: Proof): Promise<void> {
    return this.forget(name);
  }

  async forget(name: string): Promise<void> {
    if (!this.#pending.delete(name)) return;
    try {
      await this.#apply();
    } catch (error) {
      // At a stop there is nobody left to be told.
      const fields = { hostname: name, error: describeError(error) };
      this.#log({ level: "debug", message: "a proof could not be taken back", fields });
    }
  }

  /** Shows what other proxies have to prove, and nothing of theirs that is not among it. */
  async showOthers(proofs: readonly OtherProof[]): Promise<void> {
    const before = this.#others;
    const isSame = before.size === proofs.length && proofs.every(({ id }) => before.has(id));
    if (isSame) return;
    const others = new Map<string, ChallengeSnapshot>();
    for (const { id, name, ...proof } of proofs) {
      const challenge = before.get(id) ?? await challengeOf(name, proof, this.#now());
      if (challenge !== undefined) others.set(id, challenge);
    }
    this.#others = others;
    try {
      await this.#apply();
    } catch (error) {
      this.#others = before;
      throw error;
    }
  }

  async #apply(): Promise<void> {
    const others = [...this.#others.values()].filter(({ name }) => !this.#pending.has(name));
    await this.#state.exclusive(() =>
      this.#state.unstored.replaceChallenges([...others, ...this.#pending.values()], OPERATION)
    );
  }
}
