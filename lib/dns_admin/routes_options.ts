import type { DnsControl } from "../dns_control/mod.ts";

/** How one address is that questions are answered at. */
export interface AddressState {
  readonly address: string;
  readonly state: string;
  readonly restarts: number;
  readonly counters: readonly { readonly name: string; readonly value: number }[];
}

/** What routes are made of. */
export interface RoutesOptions {
  readonly control: DnsControl;
  /** The program's version. */
  readonly version: string;
  /** Why the server is not healthy, beyond what `control` knows; empty if it is. */
  readonly problem?: (() => string) | undefined;
  /** How the addresses are that questions are answered at; absent: there are none. */
  readonly addresses?: (() => readonly AddressState[]) | undefined;
  /** Reads the configuration again; what is odd about it. @throws {Error} with what is wrong. */
  readonly reload?: (() => Promise<readonly string[]>) | undefined;
  /** What becomes of a question that no zone answers, by the address of who asks. */
  readonly recursion?: ((address: string) => string) | undefined;
}
