import type { Endpoint } from "../addr/mod.ts";
import { type Connect, dial, type Lookup } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import type { DestinationGuard } from "./destination_guard.ts";

/** How streams are dialled. */
export interface StreamsOptions {
  readonly connect: Connect<TcpStream>;
  readonly lookup: Lookup;
  /** A signal for an attempt; without a time, for all there is: see `ConnectDeadlines`. */
  readonly deadline: (timeoutMs?: number) => AbortSignal;
}

/**
 * Dials the backends of l4 and mtls routes. Each client has a connection of its own, and what bounds
 * them are the listener's limits, so there is nothing to share out: going through a pool as requests
 * do cost a connection some 12 µs more than this.
 */
export class Streams {
  readonly #options: StreamsOptions;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /**
   * A connection of one's own, which the caller closes.
   *
   * @param timeoutMs of an attempt, or of a route, that has a time of its own.
   * @throws {DialError}
   */
  dial(
    target: Endpoint,
    guard: DestinationGuard | undefined,
    timeoutMs?: number,
  ): Promise<TcpStream> {
    const { connect, lookup, deadline } = this.#options;
    const signal = deadline(timeoutMs);
    return dial(
      target,
      guard === undefined
        ? { deadline: signal, lookup, connect }
        : { deadline: signal, lookup, connect: guard.connect(connect), forbids: guard.forbids },
    );
  }
}
