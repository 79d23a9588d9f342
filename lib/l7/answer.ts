import type { Reply } from "./local_reply.ts";

/** An answer in place of a backend's: what the client hears, and what the log says. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** The policy that refuses the request. */
  readonly policy?: string;
  /** Default: what is said of the status. */
  readonly reply?: Reply | undefined;
}
