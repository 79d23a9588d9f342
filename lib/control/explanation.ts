import type { StoredRule } from "../db/mod.ts";
import type { GeoIp } from "../firewall/mod.ts";
import type { OutcomeName } from "../observe/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import type { Sayer } from "./explain_sayer.ts";
import type { NamedFiles } from "./named_files.ts";
import type { PendingDrain } from "./routing_administration.ts";
import type { ServedState } from "./served_state.ts";

/** A connection that has not happened. */
export interface ExplainRequest {
  readonly clientIp: string;
  readonly listenerAddr: string;
  /** Empty: the ClientHello names no server. */
  readonly sni: string;
  /** Of a request to an l7 route; absent or empty: none is looked at. */
  readonly path?: string;
}

/** What would happen to it, and why. */
export interface Explanation {
  readonly verdict: "allow" | "block";
  /** How it would end if it is refused. */
  readonly outcome?: OutcomeName;
  /** The rule that blocks it. */
  readonly rule?: StoredRule;
  /** The rule that allows the client. */
  readonly allowedBy?: StoredRule;
  /** Of a client over the rate limit: until it may again. */
  readonly retryAfterMs?: number;
  readonly route?: Route;
  readonly country?: string;
  /** One sentence for each step. */
  readonly steps: readonly string[];
  /** Which proxy of a group says so; absent: it is alone. */
  readonly says?: Sayer;
}

/** What `explain()` looks at. */
export interface ExplainContext {
  readonly state: ServedState;
  readonly geoip: GeoIp | undefined;
  readonly drains: readonly PendingDrain[];
  /** How backends are. */
  readonly board: BackendBoard;
  /** Where the files of the state are. */
  readonly files: NamedFiles;
  /** Milliseconds since 1970, by the clock of the data plane. */
  readonly nowMs: number;
}
