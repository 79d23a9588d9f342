import type { AcmeConfig, McnsConfig } from "../config/mod.ts";
import { ChallengeBoard } from "./challenge_board.ts";
import { DnsProver } from "./dns_prover.ts";
import { Issuance, type IssuanceOptions } from "./issuance.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import type { NameProver } from "./kept_proofs.ts";
import { dnsUpdateWriter, mcnsWriter } from "./text_writer.ts";

interface ProverOptions
  extends Pick<IssuanceOptions, "state" | "readFile" | "log" | "now" | "resolvers"> {
  /** The name server beside us; absent: there is none. */
  readonly mcns: McnsConfig | undefined;
}

export { type Issuance } from "./issuance.ts";

/** Issuing as the configuration says; it begins with {@link Issuance.start}. */
export function openIssuance(
  config: AcmeConfig,
  store: IssuanceStore,
  options: Omit<IssuanceOptions, "config" | "store" | "prover"> & ProverOptions,
): Issuance {
  store.writeWith(options.state);
  return new Issuance({ ...options, config, store, prover: proverOf(config, options) });
}

function proverOf({ challenge, dns }: AcmeConfig, options: ProverOptions): NameProver {
  if (challenge !== "dns-01") return new ChallengeBoard(challenge, options);
  const { mcns, readFile } = options;
  if (dns !== undefined) return new DnsProver(dnsUpdateWriter(dns, options), options);
  if (mcns !== undefined) return new DnsProver(mcnsWriter(mcns, readFile), options);
  throw new TypeError("dns-01 without a name server, which is checked before");
}
