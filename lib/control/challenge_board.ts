import {
  createChallengeCertificate,
  exportKeyPem,
  fromPem,
  generateKey,
  type Proof,
  type Prover,
} from "../acme/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { ChallengeSnapshot } from "../plane/mod.ts";
import type { ServedState } from "./served_state.ts";

const OPERATION = { actor: "mc-proxy", action: "ProveName" };

/** Shows proofs by tls-alpn-01: the data plane answers validators with them. */
export class ChallengeBoard implements Prover {
  readonly type = "tls-alpn-01";
  readonly #state: ServedState;
  readonly #log: LogSink;
  readonly #now: () => number;
  readonly #pending = new Map<string, ChallengeSnapshot>();

  constructor(
    options: {
      readonly state: ServedState;
      readonly log: LogSink;
      readonly now: () => number;
    },
  ) {
    this.#state = options.state;
    this.#log = options.log;
    this.#now = options.now;
  }

  /** Resolves when all workers that are on time answer with it. */
  async show({ name, keyAuthorization }: Proof): Promise<void> {
    const key = await generateKey();
    const certificate = await createChallengeCertificate(key, {
      name,
      keyAuthorization,
      nowMs: this.#now(),
    });
    const pkcs8 = fromPem("PRIVATE KEY", await exportKeyPem(key));
    this.#pending.set(name, { name, certificate, key: pkcs8 });
    await this.#apply();
  }

  async hide({ name }: Proof): Promise<void> {
    if (!this.#pending.delete(name)) return;
    try {
      await this.#apply();
    } catch (error) {
      // At a stop there is nobody left to be told.
      const fields = { hostname: name, error: describeError(error) };
      this.#log({ level: "debug", message: "a proof could not be taken back", fields });
    }
  }

  async #apply(): Promise<void> {
    await this.#state.exclusive(() =>
      this.#state.replaceChallenges([...this.#pending.values()], OPERATION)
    );
  }
}
