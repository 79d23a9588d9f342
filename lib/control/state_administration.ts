import type { RouteTally } from "../server/mod.ts";
import type { State } from "../state/mod.ts";
import { planState } from "./desired.ts";
import type { Edit } from "./edits.ts";
import type { RuleExpiry } from "./expiry.ts";
import { type ReadFile, TlsFiles } from "./files.ts";
import type { FirewallAdministration } from "./firewall_administration.ts";
import type { CloseOption } from "./live_connections.ts";
import type { LiveState, Operation } from "./live_state.ts";
import { RefusedError } from "./refused.ts";

/** A difference, and how many live connections it is about. */
export interface Difference {
  readonly edit: Edit;
  readonly live: number;
}

/** What {@link StateAdministration.apply} found or did. */
export interface Applied {
  readonly differences: readonly Difference[];
  readonly revision: number;
  readonly closed: number;
}

/** How a wish is applied. */
export interface ApplyOptions extends CloseOption {
  /** Check and compare only. */
  readonly dryRun: boolean;
  /** Refuse unless the state is at this revision. */
  readonly ifRevision?: number | undefined;
}

/** What a {@link StateAdministration} works with. */
export interface StateAdministrationOptions {
  readonly state: LiveState;
  readonly firewall: FirewallAdministration;
  readonly expiry: RuleExpiry;
  readonly readFile: ReadFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Changes of the whole state at once. */
export class StateAdministration {
  readonly #state: LiveState;
  readonly #options: StateAdministrationOptions;

  constructor(options: StateAdministrationOptions) {
    this.#state = options.state;
    this.#options = options;
  }

  /**
   * Makes the state equal to a wish, in one step.
   *
   * @throws {RefusedError}
   */
  async apply(wish: State, options: ApplyOptions, operation: Operation): Promise<Applied> {
    return await this.#state.exclusive(async () => {
      const { audit } = this.#state.database;
      const { firewall, expiry } = this.#options;
      const { ifRevision, dryRun, close } = options;
      if (ifRevision !== undefined && ifRevision !== audit.revision) {
        const message = `the state is at revision ${audit.revision}, not ${ifRevision}`;
        throw new RefusedError("aborted", message);
      }
      const differences = withLive(await this.#plan(wish), await this.#state.plane.liveTraffic());
      if (dryRun) return { differences, revision: audit.revision, closed: 0 };
      await this.#state.commit(differences.map(({ edit }) => edit), operation);
      if (wish.rateLimit !== undefined) firewall.adoptRateLimit(wish.rateLimit);
      expiry.schedule();
      const closed = close ? await this.#closeTouched(differences) : 0;
      return { differences, revision: audit.revision, closed };
    }, operation.signal);
  }

  #plan(wish: State): Promise<Edit[]> {
    const { firewall, readFile, now } = this.#options;
    return planState(wish, {
      state: this.#state,
      tls: new TlsFiles(readFile),
      rateLimit: firewall.rateLimit,
      now: now(),
    });
  }

  async #closeTouched(differences: readonly Difference[]): Promise<number> {
    let closed = 0;
    for (const { edit: { action, kind, touches }, live } of differences) {
      // A listener's new settings are for new connections.
      if (live === 0 || touches === undefined) continue;
      if (kind === "listener" && action !== "remove") continue;
      const { listenerId, route } = touches;
      const query = route === undefined ? { listenerId } : { listenerId, route, stale: true };
      closed += await this.#state.plane.closeConnections(query);
    }
    return closed;
  }
}

/** One look at the connections, however many differences there are. */
function withLive(edits: readonly Edit[], traffic: readonly RouteTally[]): Difference[] {
  const live = new Map<string, number>();
  const count = (key: string, more: number) => live.set(key, (live.get(key) ?? 0) + more);
  for (const { listener, route, connections } of traffic) {
    count(listener, connections);
    count(`${listener} ${route}`, connections);
  }
  return edits.map((edit) => {
    const isTouched = edit.touches !== undefined;
    return { edit, live: isTouched ? live.get(edit.subject) ?? 0 : 0 };
  });
}
