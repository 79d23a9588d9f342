import type { PastVisits } from "../history/mod.ts";

/** Clients of each kind that are named; all are counted. */
const NAMED = 100;

/** A client to whom a change would have made a difference. */
export interface ReplayedClient {
  readonly client: string;
  /** A server name that it is about; empty: none was known. */
  readonly sni: string;
  /** What decides, after the change if it would have been refused, else before. */
  readonly why: string;
  /** Its connections of the time, and those of them that were served. */
  readonly connections: number;
  readonly served: number;
  readonly lastMs: number;
}

/** What a change would have meant for the clients of a time. */
export interface Replayed {
  readonly sinceMs: number;
  /** Clients that came in that time. */
  readonly clients: number;
  /** Those that are let in now and would have been refused, the most connections first. */
  readonly refused: readonly ReplayedClient[];
  readonly refusedClients: number;
  /** Those that are refused now and would have been let in. */
  readonly admitted: readonly ReplayedClient[];
  readonly admittedClients: number;
}

/** Clients that a change makes a difference to. They come one after the other. */
export class ReplayCount {
  readonly #refused = new Affected();
  readonly #admitted = new Affected();
  #clients = 0;
  #client: string | undefined;

  add(visit: PastVisits, before: string | undefined, after: string | undefined): void {
    if (visit.client !== this.#client) this.#clients++;
    this.#client = visit.client;
    if (before === undefined && after !== undefined) this.#refused.add(visit, after);
    if (before !== undefined && after === undefined) this.#admitted.add(visit, before);
  }

  result(): Omit<Replayed, "sinceMs"> {
    return {
      clients: this.#clients,
      refused: this.#refused.named(),
      refusedClients: this.#refused.clients,
      admitted: this.#admitted.named(),
      admittedClients: this.#admitted.clients,
    };
  }
}

/** The clients with the most connections, and how many there are. */
class Affected {
  #named: ReplayedClient[] = [];
  #last: ReplayedClient | undefined;
  clients = 0;

  add({ client, sni, connections, served, lastMs }: PastVisits, why: string): void {
    const last = this.#last;
    if (last?.client === client) {
      this.#last = {
        ...last,
        connections: last.connections + connections,
        served: last.served + served,
        lastMs: Math.max(last.lastMs, lastMs),
      };
      return;
    }
    this.#keepLast();
    this.clients++;
    this.#last = { client, sni, why, connections, served, lastMs };
  }

  named(): readonly ReplayedClient[] {
    this.#keepLast();
    return this.#sorted().slice(0, NAMED);
  }

  #keepLast(): void {
    if (this.#last !== undefined) this.#named.push(this.#last);
    this.#last = undefined;
    if (this.#named.length > 4 * NAMED) this.#named = this.#sorted().slice(0, NAMED);
  }

  #sorted(): ReplayedClient[] {
    return this.#named.toSorted((a, b) => b.served - a.served || b.connections - a.connections);
  }
}
