import type { AcmeConfig } from "../config/mod.ts";
import { ChallengeBoard } from "./challenge_board.ts";
import { DnsProver } from "./dns_prover.ts";
import { Issuance, type IssuanceOptions } from "./issuance.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import type { NameProver } from "./kept_proofs.ts";

type ProverOptions = Pick<IssuanceOptions, "state" | "readFile" | "log" | "now" | "resolvers">;

export { type Issuance } from "./issuance.ts";

/** Issuing as the configuration says; it begins with {@link Issuance.start}. */
export function openIssuance(
  config: AcmeConfig,
  store: IssuanceStore,
  options: Omit<IssuanceOptions, "config" | "store" | "prover">,
): Issuance {
  store.writeWith(options.state);
  return new Issuance({ ...options, config, store, prover: proverOf(config, options) });
}

function proverOf({ challenge, dns }: AcmeConfig, options: ProverOptions): NameProver {
  if (challenge !== "dns-01") return new ChallengeBoard(challenge, options);
  if (dns === undefined) throw new TypeError("dns-01 without acme.dns, which is checked before");
  return new DnsProver(dns, options);
}
