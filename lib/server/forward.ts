import type { Endpoint } from "../addr/mod.ts";
import { describeError } from "../observe/mod.ts";
import { DialError, Relay } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { DestinationGuard } from "./destination_guard.ts";
import type { PlaneState } from "./plane_state.ts";

/** How a connection ends that found no backend. */
export const OUTCOMES = {
  timeout: "backend_timeout",
  unreachable: "backend_unreachable",
  unresolved: "backend_unreachable",
  forbidden: "destination_refused",
} as const;

/** A client's stream and how it begins. */
export interface Stream {
  /** The client's connection, or TLS over it. */
  readonly client: TcpStream;
  /** What the backend gets before anything that is still to be read. */
  readonly first: Uint8Array;
  /** Absent: the operator has named the target. */
  readonly guard?: DestinationGuard;
}

/** Dials a backend and relays until both sides have ended. */
export async function forward(
  c: Connection,
  target: Endpoint,
  { client, first, guard, state }: Stream & { readonly state: PlaneState },
): Promise<Ending> {
  let backend: TcpStream;
  const dialledAt = state.clock.now();
  try {
    backend = await state.streams.dial(target, guard, c.route?.connectTimeoutMs);
  } catch (error) {
    const outcome = OUTCOMES[error instanceof DialError ? error.code : "unreachable"];
    return { outcome, reason: describeError(error) };
  }
  state.counters.observe("backend_connect", (state.clock.now() - dialledAt) / 1000);
  const relay = new Relay(client, backend, state.relayOptionsOf(c.route));
  c.carrier = relay;
  // Not awaited: what this function knows need not be kept while the stream lasts.
  return relay.run(first).then((outcome) => ({ outcome, reason: relay.reason }));
}
