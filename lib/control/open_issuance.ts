import type { AcmeConfig, McnsConfig } from "../config/mod.ts";
import { ChallengeBoard } from "./challenge_board.ts";
import { DnsProver } from "./dns_prover.ts";
import { Issuance } from "./issuance.ts";
import type { IssuanceOptions } from "./issuance_options.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import type { GroupIssuance } from "./group_issuance.ts";
import type { NameProver } from "./kept_proofs.ts";
import { ALONE } from "./order_turns.ts";
import { dnsUpdateWriter, mcnsWriter } from "./text_writer.ts";

interface ProverOptions
  extends Pick<IssuanceOptions, "state" | "readFile" | "log" | "now" | "resolvers"> {
  /** The name server beside us; absent: there is none. */
  readonly mcns: McnsConfig | undefined;
  /** What the group has in common; absent: the proxy is alone. */
  readonly group: GroupIssuance | undefined;
}

export { type Issuance } from "./issuance.ts";

/** Issuing as the configuration says; it begins with {@link Issuance.start}. */
export function openIssuance(
  config: AcmeConfig,
  store: IssuanceStore,
  options: Omit<IssuanceOptions, "config" | "store" | "prover" | "turns"> & ProverOptions,
): Issuance {
  store.writeWith(options.state);
  const turns = options.group?.turns ?? ALONE;
  const prover = proverOf(config, options);
  const issuance = new Issuance({ ...options, config, store, turns, prover });
  options.group?.onAccount(() => issuance.accountHasChanged());
  return issuance;
}

function proverOf({ challenge, dns }: AcmeConfig, options: ProverOptions): NameProver {
  const { mcns, readFile, group } = options;
  if (challenge !== "dns-01") return group?.prover ?? new ChallengeBoard(challenge, options);
  if (dns !== undefined) return new DnsProver(dnsUpdateWriter(dns, options), options);
  if (mcns !== undefined) return new DnsProver(mcnsWriter(mcns, readFile), options);
  throw new TypeError("dns-01 without a name server, which is checked before");
}
