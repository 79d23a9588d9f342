import type { ConnectionQuery, FoundConnections, RouteCount } from "../plane/mod.ts";
import { Ring } from "../relay/mod.ts";
import { routeOf, ServedCounts, toInfo } from "./accounting.ts";
import { type Connection, cutOff } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";
import { compileQuery } from "./query.ts";

/** The connections of one worker that are open, the oldest first: who asks, finds and cuts them. */
export class LiveConnections {
  readonly #state: Pick<PlaneState, "sources" | "clock">;
  readonly #ring = new Ring<Connection>();

  constructor(state: Pick<PlaneState, "sources" | "clock">) {
    this.#state = state;
  }

  get size(): number {
    return this.#ring.size;
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#ring[Symbol.iterator]();
  }

  add(connection: Connection): void {
    this.#ring.add(connection);
  }

  delete(connection: Connection): void {
    this.#ring.delete(connection);
  }

  /** The oldest `limit` that a query means. */
  find(query: ConnectionQuery, limit: number): FoundConnections {
    const found = this.#query(query);
    const now = this.#state.clock.now();
    const connections = found.slice(0, limit).map((connection) => toInfo(connection, now));
    return { connections, total: found.length };
  }

  /** Cuts off those that a query means; how many there were. */
  close(query: ConnectionQuery): number {
    const found = this.#query(query);
    const { backend: addr, path } = query;
    const backend = addr === undefined ? undefined : { addr, path };
    for (const connection of found) {
      const { carrier } = connection;
      // Its other requests, and what it asks for next, are none of this backend's.
      if (backend !== undefined && carrier?.cutBackend) carrier.cutBackend(backend);
      else cutOff(connection, "closed_by_operator");
    }
    return found.length;
  }

  /** Cuts one off; `false` if there is none of that id. */
  closeOne(id: string): boolean {
    for (const connection of this) {
      if (connection.id !== id) continue;
      cutOff(connection, "closed_by_operator");
      return true;
    }
    return false;
  }

  /** Cuts all off, since the program ends. */
  cutAll(): void {
    for (const connection of this) cutOff(connection, "shutdown");
  }

  /** How many there are, by route; what they carry is in the counts. */
  traffic(): readonly RouteCount[] {
    const live = new ServedCounts();
    for (const connection of this) {
      if (connection.route !== undefined) live.countEnd(routeOf(connection));
    }
    return live.take().routes;
  }

  #query(query: ConnectionQuery): Connection[] {
    const matches = compileQuery(query, this.#state.sources);
    return [...this].filter(matches);
  }
}
