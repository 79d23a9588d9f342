import { parseBackendEndpoint, sourceKey } from "../addr/mod.ts";
import type { BalancedRoute, Balancer, NoPlace, Place, PlaceRequest } from "../balance/mod.ts";
import { ALL_BACKENDS, type BackendOutcome, describeError } from "../observe/mod.ts";
import { type BrokenWatch, DialError, Link, Relay } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { attemptTimeout } from "./attempt_deadlines.ts";
import type { Carrier, Connection, Ending } from "./connection_state.ts";
import { OUTCOMES, type Stream } from "./forward.ts";
import type { PlaneState } from "./plane_state.ts";

const NO_PLACE: Readonly<Record<NoPlace, Ending>> = {
  full: { outcome: "backend_full", reason: "every backend has as many connections as it may" },
  none: { outcome: "backend_unreachable", reason: "no backend is left" },
};

/** A client that goes to one of several backends. */
interface Balanced extends Stream {
  readonly state: PlaneState;
  /** The one that it may go to; absent: whichever. */
  readonly only?: string;
}

/**
 * {@link forward} to one of several backends. Another one is tried while none has opened a
 * connection, so before a single octet was sent, and within `connect_timeout` for all of them.
 */
export async function forwardBalanced(
  c: Connection,
  route: Route,
  stream: Balanced,
): Promise<Ending> {
  const { state, only } = stream;
  const totalMs = state.connectTimeoutOf(route);
  const balancer = state.balancers.of(route as BalancedRoute);
  const request = { source: sourceKey(c.client.ip), tried: new Set<string>(), only };
  let spentMs = 0;
  for (;;) {
    const place = await placeFor(c, balancer, { request, watch: state.relayOptions.watch });
    if (place === undefined) return { outcome: "client_gone", reason: "left while it waited" };
    if (typeof place === "string") {
      c.backend ??= ALL_BACKENDS;
      return only === undefined ? NO_PLACE[place] : noPlaceAt(only, place);
    }
    c.backend = place.addr;
    const attempts = only === undefined ? Math.max(1, balancer.attemptsLeft(request.tried)) : 1;
    request.tried.add(place.addr);
    const startedAt = state.clock.now();
    const timeoutMs = attemptTimeout({ totalMs, spentMs }, attempts);
    try {
      const backend = await connect(place, { ...stream, timeoutMs });
      state.counters.observe("backend_connect", (state.clock.now() - startedAt) / 1000);
      return relayTo(c, { ...stream, backend, place });
    } catch (error) {
      spentMs += state.clock.now() - startedAt;
      const ending = failure(c, place, error);
      const isOver = ending.isLast || spentMs >= totalMs || only !== undefined ||
        !balancer.mayRetry(request.tried);
      if (isOver) return ending;
      countFailure(c, route, ending.outcome as BackendOutcome, state);
    }
  }
}

/** Why the one backend that it is for does not take a connection. */
function noPlaceAt(addr: string, found: NoPlace): Ending {
  return found === "full"
    ? { outcome: "backend_full", reason: `${addr} has as many connections as it may` }
    : { outcome: "backend_unreachable", reason: `${addr} was drained or taken down` };
}

/** A place at a backend, waited for if need be; nothing if the connection was cut meanwhile. */
function placeFor(
  c: Connection,
  balancer: Balancer,
  { request, watch }: {
    readonly request: PlaceRequest;
    readonly watch: BrokenWatch;
  },
): Promise<Place | NoPlace | undefined> | Place | NoPlace {
  let found: Place | NoPlace | undefined;
  let waiting: Waiting | undefined;
  const { promise, resolve } = Promise.withResolvers<Place | NoPlace | undefined>();
  const end = (place: Place | NoPlace | undefined) => {
    if (waiting !== undefined) watch.delete(waiting);
    c.carrier = undefined;
    resolve(place);
  };
  const leave = balancer.acquire(request, (place) => {
    found = place;
    end(place);
  });
  if (found !== undefined) return found;
  c.carrier = waiting = new Waiting(c.stream, () => {
    leave();
    end(undefined);
  });
  watch.add(waiting);
  return promise;
}

/** A client that waits for a place. Nobody reads it, and one that has broken off is to leave the line. */
class Waiting extends Link implements Carrier {
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly #stream: TcpStream;
  readonly #leave: () => void;

  constructor(stream: TcpStream, leave: () => void) {
    super();
    this.#stream = stream;
    this.#leave = leave;
  }

  cut(): void {
    this.#stream.reset();
    this.#leave();
  }

  isBroken(): boolean {
    return this.#stream.isBroken();
  }

  onBroken(): void {
    this.#leave();
  }
}

/** @throws {DialError} */
async function connect(
  place: Place,
  { state, guard, timeoutMs }: Balanced & { readonly timeoutMs: number },
): Promise<TcpStream> {
  const target = parseBackendEndpoint(place.addr);
  if (!target.ok) throw new TypeError(`backend ${place.addr}: ${target.reason}`);
  return await state.streams.dial(target.value, guard, timeoutMs);
}

/** How the connection ends if this was its last backend. */
function failure(
  c: Connection,
  place: Place,
  error: unknown,
): Ending & { readonly isLast: boolean } {
  const isKnown = error instanceof DialError;
  const outcome = OUTCOMES[isKnown ? error.code : "unreachable"];
  // One that is cut says nothing of the backend, and nobody is left who wants another one.
  const { closed, readError } = c.stream;
  const isGone = closed || readError !== undefined || c.cutBy !== undefined;
  const isBackends = isKnown && outcome !== "destination_refused";
  if (isBackends && !isGone) place.failed();
  place.release();
  return { outcome, reason: describeError(error), isLast: isGone || !isBackends };
}

function relayTo(
  c: Connection,
  { client, first, state, backend, place }: Balanced & {
    readonly backend: TcpStream;
    readonly place: Place;
  },
): Promise<Ending> {
  const relay = new Relay(client, backend, state.relayOptionsOf(c.route));
  c.carrier = relay;
  place.watch(relay);
  return relay.run(first)
    .then((outcome) => {
      if (outcome === "backend_reset" && relay.bytesOut === 0) place.failed();
      return { outcome, reason: relay.reason };
    })
    .finally(() => place.release());
}

/** One that was replaced by another has to show, too. */
function countFailure(
  { listener, backend = "" }: Connection,
  { hostname }: Route,
  outcome: BackendOutcome,
  { counts }: PlaneState,
): void {
  counts.countBackend({ listener: listener.addr, route: hostname, backend, outcome });
}
