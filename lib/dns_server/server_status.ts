import type { ForwardStatus } from "../dns_forward/mod.ts";
import type { SignerStatus } from "../dnssec/mod.ts";

/** Of the server of an address: what is known of others, and what is remembered for them. */
export interface ServerStatus {
  /** Absent: nothing is forwarded. */
  readonly forward?: ForwardStatus;
  /** Absent: nothing is signed. */
  readonly signer?: SignerStatus;
}
