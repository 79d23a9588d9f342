/**
 * The hazards of HTTP/1.1 by name, and the tests that stand for them. A test reads the names of all
 * tests and fails when one of these is not there.
 *
 * @module
 */
import { HAZARDS_OF_BACKENDS } from "./hazards_of_backends.ts";
import { HAZARDS_OF_CLIENTS } from "./hazards_of_clients.ts";
import { HAZARDS_OF_REQUESTS } from "./hazards_of_requests.ts";

/** One hazard. */
export interface Hazard {
  /** By file; `@` in a name stands for each protocol of the client, `http/1.1` and `h2`. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
  /** Why it can only come over one of them. */
  readonly only?: string;
  /** As the field's list says it. */
  readonly field?: readonly string[];
}

/** All of them. */
export const HAZARDS: Readonly<Record<string, Hazard>> = {
  ...HAZARDS_OF_REQUESTS,
  ...HAZARDS_OF_CLIENTS,
  ...HAZARDS_OF_BACKENDS,
};
