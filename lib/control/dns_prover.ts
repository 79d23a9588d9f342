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

  constructor(
    config: AcmeDnsConfig,
    options: { readonly readFile: ReadFile; readonly log: LogSink; readonly now: () => number },
  ) {
    this.#config = config;
    this.#readFile = options.readFile;
    this.#log = options.log;
    this.#now = options.now;
  }

  /** Resolves when secondary servers have had time to hear of it. */
  async show(proof: Proof, signal: AbortSignal): Promise<void> {
    await this.#update(proof, { present: true, signal });
    await pause(this.#config.propagationMs, signal);
  }

  async hide(proof: Proof): Promise<void> {
    try {
      const signal = AbortSignal.timeout(HIDE_TIMEOUT_MS);
      await this.#update(proof, { present: false, signal });
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
    { present, signal }: { readonly present: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const zone = this.#zoneOf(proof.name);
    const name = `_acme-challenge.${proof.name}`;
    const text = await dnsProofText(proof.keyAuthorization);
    const options = { server: await this.#server(), nowMs: this.#now(), signal };
    await updateText({ zone, name, text, present }, options);
  }

  /** The longest of the zones that the name is in. */
  #zoneOf(name: string): string {
    const zones = this.#config.zones.filter((zone) => name === zone || name.endsWith(`.${zone}`))
      .sort((a, b) => b.length - a.length);
    const [zone] = zones;
    if (zone !== undefined) return zone;
    throw new AcmeError("failed", `${name} is in none of acme.dns.zones`);
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
