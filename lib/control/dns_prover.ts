import { AcmeError, dnsProofText, type Proof } from "../acme/mod.ts";
import type { KeptProof } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { type AliasOf, askAliases, findProofPlace, type ProofPlace } from "./dns_alias.ts";
import type { NameProver } from "./kept_proofs.ts";
import type { TextWriter } from "./text_writer.ts";

/** To take a proof back, after the order has ended. */
const HIDE_TIMEOUT_MS = 10_000;
/** Until it is tried again, twice as long each time. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 3_600_000;
/** Proofs that wait to be taken back; a name has one at a time. */
const MAX_LEFT = 1000;

/** A text that is to go. */
interface Left {
  readonly name: string;
  readonly place: ProofPlace;
  readonly text: string;
  attempts: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Shows proofs by dns-01: a name server is told of them. */
export class DnsProver implements NameProver {
  readonly type = "dns-01";
  readonly #writer: TextWriter;
  readonly #log: LogSink;
  readonly #aliasOf: AliasOf;
  /** Where proofs were written, by their key authorizations: there they are removed. */
  readonly #places = new Map<string, ProofPlace>();
  /** Those that could not be removed, by their texts. */
  readonly #left = new Map<string, Left>();
  #closed = false;

  constructor(
    writer: TextWriter,
    options: {
      readonly log: LogSink;
      /** `host:port` of whom to ask for names of other zones; empty: the system's. */
      readonly resolvers: readonly string[];
      /** Default: asks them, and the writer's server. */
      readonly aliasOf?: AliasOf;
    },
  ) {
    this.#writer = writer;
    this.#log = options.log;
    const { resolvers, aliasOf = askAliases({ ...writer, resolvers }) } = options;
    this.#aliasOf = aliasOf;
  }

  /** Resolves when everybody can see it. */
  async show({ name, keyAuthorization }: Proof, signal: AbortSignal): Promise<void> {
    const place = await this.#find(name, signal);
    const text = await dnsProofText(keyAuthorization);
    this.#keep(text);
    this.#places.set(keyAuthorization, place);
    try {
      await this.#writer.write({ ...place, text, present: true }, signal);
    } catch (error) {
      const isNowhere = error instanceof AcmeError && error.code === "refused";
      if (isNowhere) this.#places.delete(keyAuthorization);
      throw error;
    }
  }

  async hide({ name, keyAuthorization }: Proof): Promise<void> {
    const place = this.#places.get(keyAuthorization);
    if (place === undefined) return;
    this.#places.delete(keyAuthorization);
    const text = await dnsProofText(keyAuthorization);
    await this.#remove({ name, place, text, attempts: 0, timer: undefined });
  }

  /** Whoever goes on with an order shows the same text again; what it did not need to, is removed. */
  async forget(name: string, kept?: KeptProof): Promise<void> {
    if (kept?.type !== this.type || this.#places.has(kept.keyAuthorization)) return;
    const host = name.replace(/^\*\./, "");
    try {
      const place = await this.#find(host, AbortSignal.timeout(HIDE_TIMEOUT_MS));
      const text = await dnsProofText(kept.keyAuthorization);
      await this.#remove({ name: host, place, text, attempts: 0, timer: undefined });
    } catch (error) {
      this.#warn(host, error);
    }
  }

  /** Removes nothing more. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#left.values()) clearTimeout(timer);
  }

  #find(host: string, signal: AbortSignal): Promise<ProofPlace> {
    const { zones } = this.#writer;
    return findProofPlace(`_acme-challenge.${host}`, { zones, aliasOf: this.#aliasOf, signal });
  }

  /** A text that is shown again is to stay. */
  #keep(text: string): void {
    clearTimeout(this.#left.get(text)?.timer);
    this.#left.delete(text);
  }

  /** Never fails. */
  async #remove(left: Left): Promise<void> {
    const { place, text, name } = left;
    try {
      const signal = AbortSignal.timeout(HIDE_TIMEOUT_MS);
      await this.#writer.write({ ...place, text, present: false }, signal);
      if (left.attempts > 0) {
        const fields = { hostname: name };
        this.#log({ level: "info", message: "a proof that was left is removed", fields });
      }
    } catch (error) {
      if (left.attempts === 0) this.#warn(name, error);
      this.#removeLater(left);
    }
  }

  #removeLater(left: Left): void {
    if (this.#closed || this.#left.size >= MAX_LEFT) return;
    const wait = Math.min(FIRST_RETRY_MS * 2 ** left.attempts++, MAX_RETRY_MS);
    this.#left.set(left.text, left);
    left.timer = setTimeout(() => {
      this.#left.delete(left.text);
      void this.#remove(left);
    }, wait);
  }

  #warn(hostname: string, error: unknown): void {
    const fields = { hostname, error: describeError(error) };
    this.#log({ level: "warn", message: "a proof was left at the name server", fields });
  }
}
