import type { WindowBudget } from "../h2/mod.ts";
import type { BackendOutcome } from "../observe/mod.ts";
import type { Deadlines } from "../relay/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import type { Pages } from "./error_pages.ts";
import type { ExchangeRecord } from "./exchange_record.ts";
import type { FieldRules } from "./field_rules.ts";
import type { HttpLimits } from "./http_limits.ts";
import type { BackendConnection } from "./message.ts";
import type { MessageRules } from "./message_rules.ts";
import type { ClientFacts } from "./request_fields.ts";

/** What an exchange knows of the connection it belongs to. */
export interface ExchangeOwner {
  readonly facts: ClientFacts;
  readonly rules: FieldRules;
  readonly limits: HttpLimits;
  /** What is said of the proxy's own errors to a request that has not got to a route. */
  readonly pages: Pages | undefined;
  readonly windows: WindowBudget;
  /** After how long without progress an exchange of a route ends. */
  idleFor(rules: MessageRules | undefined): Deadlines;
  now(): number;
  /** One of several backends has failed, and another one is asked instead. */
  failedOver(exchange: ExchangeRecord, backend: string, outcome: BackendOutcome): void;
  /** The exchange is over. */
  ended(exchange: ExchangeRecord): void;
  /** Something was thrown that must not be; the exchange has ended. */
  crashed(exchange: ExchangeRecord, error: unknown): void;
}

/** Where an exchange gets its connection to the backend. */
export interface Way {
  readonly upstream: Upstream<BackendConnection>;
  /** Whose share of the backend it takes. */
  readonly client: string;
  readonly affinity: object | undefined;
}
