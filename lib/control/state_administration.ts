import type { RouteCount } from "../plane/mod.ts";
import type { State } from "../state/mod.ts";
import type { Difference } from "./differences.ts";
import type { RuleExpiry } from "./expiry.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import { RouteFilesCheck } from "./route_files_check.ts";
import type { FirewallAdministration } from "./firewall_administration.ts";
import type { CloseOption } from "./live_connections.ts";
import { planState } from "./plan.ts";
import type { Operation } from "./operation.ts";
import type { ServedState } from "./served_state.ts";

/** What {@link StateAdministration.apply} found or did. */
export interface Applied {
  readonly differences: readonly Difference[];
  /** How many live connections a difference is about. */
  readonly live: (difference: Difference) => number;
  readonly revision: number;
  readonly closed: number;
}

/** How a state is applied. */
export interface ApplyOptions extends CloseOption {
  /** Check and compare only. */
  readonly dryRun: boolean;
  /** Refuse unless the state is at this revision. */
  readonly ifRevision?: number | undefined;
  /** Whether the wanted state is the truth, which leaves nothing else but blocks for a time. */
  readonly isWhole?: boolean;
}

/** What a {@link StateAdministration} works with. */
export interface StateAdministrationOptions {
  readonly state: ServedState;
  readonly firewall: FirewallAdministration;
  readonly expiry: RuleExpiry;
  readonly readFile: ReadFile;
  /** Absent: no authority issues anything. */
  readonly acme?: AcmeConfig | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Changes of the whole state at once. */
export class StateAdministration {
  readonly #state: ServedState;
  readonly #options: StateAdministrationOptions;

  constructor(options: StateAdministrationOptions) {
    this.#state = options.state;
    this.#options = options;
  }

  /**
   * Makes the state equal to a wanted one, in one step.
   *
   * @throws {RefusedError}
   */
  async apply(wanted: State, options: ApplyOptions, operation: Operation): Promise<Applied> {
    return await this.#state.exclusive(async () => {
      const { firewall, expiry } = this.#options;
      const { ifRevision, dryRun, close, isWhole = false } = options;
      this.#state.refuseOtherRevision(ifRevision);
      const differences = await this.#plan(wanted, isWhole);
      const live = liveOn(await this.#state.plane.liveTraffic());
      if (dryRun) return { differences, live, revision: this.#state.revision, closed: 0 };
      await this.#state.commit(differences, { ...operation, isOfWholeState: true });
      if (wanted.rateLimit !== undefined) firewall.adoptRateLimit(wanted.rateLimit);
      expiry.schedule();
      const closed = close ? await this.#closeTouched(differences, live) : 0;
      return { differences, live, revision: this.#state.revision, closed };
    }, operation.signal);
  }

  #plan(wanted: State, isWhole: boolean): Promise<Difference[]> {
    const { firewall, readFile, acme, now } = this.#options;
    return planState(wanted, {
      state: this.#state,
      tls: new RouteFilesCheck({ readFile, acme }),
      rateLimit: firewall.rateLimit,
      now: now(),
      isWhole,
    });
  }

  async #closeTouched(
    differences: readonly Difference[],
    live: Applied["live"],
  ): Promise<number> {
    let closed = 0;
    for (const difference of differences) {
      const { action, kind, touches } = difference;
      if (touches === undefined || live(difference) === 0) continue;
      // A listener's new settings are for new connections.
      if (kind === "listener" && action !== "remove") continue;
      const { listenerId, route } = touches;
      const query = route === undefined ? { listenerId } : { listenerId, route, stale: true };
      closed += await this.#state.plane.closeConnections(query);
    }
    return closed;
  }
}

/** One look at the connections, however many differences there are. */
function liveOn(traffic: readonly RouteCount[]): Applied["live"] {
  const live = new Map<string, number>();
  const count = (key: string, more: number) => live.set(key, (live.get(key) ?? 0) + more);
  for (const { listener, route, connections } of traffic) {
    count(listener, connections);
    count(`${listener} ${route}`, connections);
  }
  return ({ touches, subject }) => touches === undefined ? 0 : live.get(subject) ?? 0;
}
