import type { OctetString } from "../dns/mod.ts";
import type { Step } from "../transfer/mod.ts";

/** What a worker cannot know: it has neither the journal nor the right to change anything. */
export type Ask =
  /** A message that is no question: UPDATE, NOTIFY. */
  | { readonly kind: "message"; readonly octets: Uint8Array; readonly host: string }
  /** What changed in a zone since a serial. */
  | { readonly kind: "journal"; readonly origin: OctetString; readonly serial: number };

/** The answer to an {@link Ask}. */
export interface Told {
  readonly octets?: Uint8Array;
  readonly steps?: readonly Step[];
}
