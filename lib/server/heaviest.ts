import { type HitterCount, HitterTracker, type Visitor } from "../hitters/mod.ts";
import { isRefusal, type OutcomeName } from "../observe/mod.ts";
import type { Connection } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";

/**
 * Whose connections are the most. Events would tell the same, but they are dropped when the control
 * plane does not keep up, which is when somebody asks.
 */
export class Heaviest {
  readonly #tracker = new HitterTracker();
  readonly #state: PlaneState;

  constructor(state: PlaneState) {
    this.#state = state;
  }

  /** Counts what is new of a connection that has ended. */
  countEnd(connection: Connection, outcome: OutcomeName): void {
    const visitor = this.#visitorOf(connection);
    if (!connection.isCounted) this.#tracker.add("connections", visitor, 1);
    if (isRefusal(outcome)) this.#tracker.add("refused", visitor, 1);
    this.#countRequests(connection, visitor);
    const { carrier } = connection;
    if (carrier === undefined) return;
    const bytes = carrier.bytesIn + carrier.bytesOut - connection.countedBytes;
    if (bytes > 0) this.#tracker.add("bytes", visitor, bytes);
  }

  /** What was counted since the last time, with what live connections have carried meanwhile. */
  take(live: Iterable<Connection>): HitterCount[] {
    for (const connection of live) this.#countLive(connection);
    return this.#tracker.take();
  }

  /** One without a route has not said yet who it is, or ends soon. */
  #countLive(connection: Connection): void {
    const { carrier, route } = connection;
    if (route === undefined) return;
    const bytes = (carrier?.bytesIn ?? 0) + (carrier?.bytesOut ?? 0);
    const more = bytes - connection.countedBytes;
    if (connection.isCounted && more <= 0 && connection.refusedRequests === 0) return;
    const visitor = this.#visitorOf(connection);
    if (!connection.isCounted) this.#tracker.add("connections", visitor, 1);
    if (more > 0) this.#tracker.add("bytes", visitor, more);
    this.#countRequests(connection, visitor);
    connection.isCounted = true;
    connection.countedBytes = bytes;
  }

  /** Whoever is let in and then refused by a policy is refused, too. */
  #countRequests(connection: Connection, visitor: Visitor): void {
    if (connection.refusedRequests === 0) return;
    this.#tracker.add("refused", visitor, connection.refusedRequests);
    connection.refusedRequests = 0;
  }

  #visitorOf({ client: { ip }, sni }: Connection): Visitor {
    return { ip, name: sni, country: this.#state.sources.countryOf(ip) };
  }
}
