import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { OrderTimes } from "./control_options.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import type { NameProver } from "./kept_proofs.ts";
import type { OrderTurns } from "./order_turns.ts";
import type { ServedState } from "./served_state.ts";

/** What an `Issuance` works with. */
export interface IssuanceOptions {
  readonly config: AcmeConfig;
  readonly store: IssuanceStore;
  readonly state: ServedState;
  readonly prover: NameProver;
  /** Names that want a certificate. */
  readonly wanted: () => ReadonlySet<string>;
  /** Makes every worker use what was issued. */
  readonly activate: () => Promise<void>;
  readonly readFile: ReadFile;
  readonly userAgent: string;
  /** `host:port` of whom to ask for names; empty: the system's. */
  readonly resolvers: readonly string[];
  /** Waits for what the authority is working on; default: a timer. */
  readonly delay?: OrderTimes["delay"] | undefined;
  /** Who orders. */
  readonly turns: OrderTurns;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Of [0, 1). */
  readonly random?: () => number;
}

/** What was tried since the start. */
export interface IssuanceCounts {
  readonly attempts: number;
  readonly failures: number;
}
