import {
  AcmeError,
  dnsProofText,
  type DnsUpdateServer,
  pause,
  type Proof,
  updateText,
} from "../acme/mod.ts";
import { parseBackendEndpoint } from "../addr/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeDnsConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { type AliasOf, askAliases, findProofPlace, type ProofPlace } from "./dns_alias.ts";
import type { NameProver } from "./kept_proofs.ts";

/** To take a proof back, after the order has ended. */
const HIDE_TIMEOUT_MS = 10_000;

/** Shows proofs by dns-01: a name server is told of them. */
export class DnsProver implements NameProver {
  readonly type = "dns-01";
  readonly #config: AcmeDnsConfig;
  readonly #readFile: ReadFile;
  readonly #log: LogSink;
  readonly #now: () => number;
  readonly #aliasOf: AliasOf;
  /** Where proofs were written, by their key authorizations: there they are removed. */
  readonly #places = new Map<string, ProofPlace>();

  constructor(
    config: AcmeDnsConfig,
    options: {
      readonly readFile: ReadFile;
      readonly log: LogSink;
      readonly now: () => number;
      /** `host:port` of whom to ask for names of other zones; empty: the system's. */
      readonly resolvers: readonly string[];
    },
  ) {
    this.#config = config;
    this.#readFile = options.readFile;
    this.#log = options.log;
    this.#now = options.now;
    this.#aliasOf = askAliases({ ...config, resolvers: options.resolvers });
  }

  /** Resolves when secondary servers have had time to hear of it. */
  async show(proof: Proof, signal: AbortSignal): Promise<void> {
    const { zones } = this.#config;
    const name = `_acme-challenge.${proof.name}`;
    const place = await findProofPlace(name, { zones, aliasOf: this.#aliasOf, signal });
    this.#places.set(proof.keyAuthorization, place);
    await this.#update(proof, place, { present: true, signal });
    await pause(this.#config.propagationMs, signal);
  }

  async hide(proof: Proof): Promise<void> {
    const place = this.#places.get(proof.keyAuthorization);
    if (place === undefined) return;
    this.#places.delete(proof.keyAuthorization);
    try {
      const signal = AbortSignal.timeout(HIDE_TIMEOUT_MS);
      await this.#update(proof, place, { present: false, signal });
    } catch (error) {
      const fields = { hostname: proof.name, error: describeError(error) };
      this.#log({ level: "warn", message: "a proof was left at the name server", fields });
    }
  }

  /** Whoever goes on with its order shows the same text again, and removes it. */
  forget(): Promise<void> {
    return Promise.resolve();
  }

  async #update(
    proof: Proof,
    { zone, name }: ProofPlace,
    { present, signal }: { readonly present: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const text = await dnsProofText(proof.keyAuthorization);
    const options = { server: await this.#server(), nowMs: this.#now(), signal };
    await updateText({ zone, name, text, present }, options);
  }

  async #server(): Promise<DnsUpdateServer> {
    const { server, keyName, keyFile } = this.#config;
    const endpoint = parseBackendEndpoint(server);
    if (!endpoint.ok) throw new AcmeError("failed", `acme.dns.server: ${endpoint.reason}`);
    const { host: hostname, port } = endpoint.value;
    const key = new TextDecoder().decode(await this.#readFile(keyFile)).trim();
    return { hostname, port, keyName, key };
  }
}
