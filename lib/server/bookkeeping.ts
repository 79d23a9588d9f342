import type { TakenCounts } from "../plane/mod.ts";
import {
  backendOutcome,
  countEnded,
  countTraffic,
  routeOf,
  takeTraffic,
  toEvent,
} from "./accounting.ts";
import { BlockedLog } from "./blocked_log.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { DataPlaneOptions } from "./data_plane_options.ts";
import { Heaviest } from "./heaviest.ts";
import type { PlaneState } from "./plane_state.ts";

/** What {@link Bookkeeping} reports to. */
export type BookkeepingOptions = Pick<DataPlaneOptions, "worker" | "counters" | "onEvent" | "log">;

/** What is counted and told of the connections of one worker, when they end and while they last. */
export class Bookkeeping {
  readonly #options: BookkeepingOptions;
  readonly #state: PlaneState;
  readonly #heaviest: Heaviest;
  readonly #blocked: BlockedLog;

  constructor(options: BookkeepingOptions, state: PlaneState) {
    this.#options = options;
    this.#state = state;
    this.#heaviest = new Heaviest(state);
    this.#blocked = new BlockedLog({ clock: state.clock, log: options.log });
  }

  /** Counts an ended connection everywhere it counts, and tells of it. */
  end(connection: Connection, ending: Ending): void {
    const { listener } = connection;
    const { counters, worker } = this.#options;
    const now = this.#state.clock.now();
    const { outcome, rule = "", ruleType } = ending;
    const isTold = outcome !== "blocked" || this.#blocked.tells(listener.addr, rule, now);
    const event = isTold ? toEvent(connection, ending, now) : undefined;
    const ended = event ?? { outcome, durationMs: now - connection.startedAt };
    const traffic = takeTraffic(connection);
    countEnded(ended, traffic, { counters, worker, gauge: listener.gauge, ruleType });
    if (event !== undefined) this.#options.onEvent(event);
    this.#heaviest.countEnd(connection, outcome);
    const { counts } = this.#state;
    if (ending.ruleId !== undefined) counts.countHit(ending.ruleId);
    if (connection.route === undefined) return;
    counts.countEnd(routeOf(connection));
    counts.countTraffic(routeOf(connection), traffic);
    const seen = backendOutcome(connection, outcome);
    if (seen === undefined) return;
    const { backend = connection.route.backend } = connection;
    counts.countBackend({ ...routeOf(connection), backend, outcome: seen });
  }

  /** What happened since this was asked the last time, with what live connections carried. */
  take(live: Iterable<Connection>): TakenCounts {
    // Streams count while they run: some never end.
    for (const connection of live) this.#countLive(connection);
    return { ...this.#state.counts.take(), hitters: this.#heaviest.take(live) };
  }

  /** Tells what was held back. */
  flush(): void {
    this.#blocked.flush();
  }

  #countLive(connection: Connection): void {
    if (connection.carrier === undefined) return;
    const traffic = takeTraffic(connection);
    if (traffic.bytesIn === 0 && traffic.bytesOut === 0) return;
    const { counters, worker } = this.#options;
    countTraffic(connection, traffic, { counters, worker, gauge: connection.listener.gauge });
    this.#state.counts.countTraffic(routeOf(connection), traffic);
  }
}
