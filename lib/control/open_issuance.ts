import type { AcmeConfig } from "../config/mod.ts";
import { ChallengeBoard } from "./challenge_board.ts";
import { DnsProver } from "./dns_prover.ts";
import { Issuance, type IssuanceOptions } from "./issuance.ts";
import type { IssuanceStore } from "./issuance_store.ts";

export { type Issuance } from "./issuance.ts";

/** Issuing as the configuration says; it begins with {@link Issuance.start}. */
export function openIssuance(
  config: AcmeConfig,
  store: IssuanceStore,
  options: Omit<IssuanceOptions, "config" | "store" | "prover">,
): Issuance {
  store.writeWith(options.state);
  const prover = config.challenge === "dns-01" && config.dns !== undefined
    ? new DnsProver(config.dns, options)
    : new ChallengeBoard(options);
  return new Issuance({ ...options, config, store, prover });
}
