import type { RouteCount } from "../plane/mod.ts";
import type { State } from "../state/mod.ts";
import type { Difference } from "./difference.ts";
import type { RuleExpiry } from "./expiry.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import type { ZoneVersion } from "../dns_rest/mod.ts";
import { invalid, RefusedError } from "../queue/mod.ts";
import type { DnsChanges } from "./dns_changes.ts";
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
  /** Of the zones of the wanted records, before the change. */
  readonly zoneVersions?: readonly ZoneVersion[];
  /** Whether the name server has yet to confirm them. */
  readonly recordsPending?: boolean;
}

/** How a state is applied. */
export interface ApplyOptions extends CloseOption {
  /** Check and compare only. */
  readonly dryRun: boolean;
  /** Refuse unless the state is at this revision. */
  readonly ifRevision?: number | undefined;
  /** Whether the wanted state is the truth, which leaves nothing else but blocks for a time. */
  readonly isWhole?: boolean;
  /** Refuse unless zones of the wanted records have these versions. */
  readonly ifZoneVersions?: readonly ZoneVersion[];
}

/** What a {@link StateAdministration} works with. */
export interface StateAdministrationOptions {
  readonly state: ServedState;
  readonly firewall: FirewallAdministration;
  readonly expiry: RuleExpiry;
  readonly readFile: ReadFile;
  /** Absent: no authority issues anything. */
  readonly acme?: AcmeConfig | undefined;
  /** Absent: there is no name server whose records are changed. */
  readonly dns?: DnsChanges | undefined;
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
    const { records: sets = [] } = wanted;
    if (sets.length === 0) return await this.#applyOwn(wanted, options, operation);
    const { dns } = this.#options;
    if (dns === undefined) throw invalid("state.records", "needs the section [mcns]");
    if (this.#state.isOfGroup) {
      // The log would have our half before we have the decision.
      const message =
        "records are not changed together with the state of a group: change them at " +
        "the name server (`mcnsctl`)";
      throw new RefusedError("failed_precondition", message);
    }
    if (options.dryRun) {
      const { signal } = operation;
      const { differences, versions: zoneVersions } = await dns.plan(sets, signal);
      return { ...await this.#applyOwn(wanted, options, operation, differences), zoneVersions };
    }
    return await dns.alone(() =>
      this.#applyTogether({ ...wanted, records: sets }, options, operation, dns)
    );
  }

  async #applyTogether(
    wanted: State & Required<Pick<State, "records">>,
    options: ApplyOptions,
    operation: Operation,
    dns: DnsChanges,
  ): Promise<Applied> {
    const { ifZoneVersions: ifVersions = [] } = options;
    const { actor, signal } = operation;
    let isKept = false;
    try {
      const applied = await this.#state.exclusive(
        () =>
          dns.together(wanted.records, { ifVersions, actor, signal }, async (kept) => {
            isKept = true;
            const { differences, versions: zoneVersions, id } = kept;
            const done = await this.#applyAlone(wanted, options, operation, differences);
            return { ...done, zoneVersions, id };
          }),
        signal,
      );
      await dns.settle();
      return { ...applied, recordsPending: dns.waiting().some(({ id }) => id === applied.id) };
    } catch (error) {
      // What is kept for nothing is in the way of whoever tries again.
      if (isKept) await dns.settle();
      throw error;
    }
  }

  #applyOwn(
    wanted: State,
    options: ApplyOptions,
    operation: Operation,
    more: readonly Difference[] = [],
  ): Promise<Applied> {
    return this.#state.exclusive(
      () => this.#applyAlone(wanted, options, operation, more),
      operation.signal,
    );
  }

  /** @param more differences that are not ours to find, and are made with ours. */
  async #applyAlone(
    wanted: State,
    { ifRevision, dryRun, close, isWhole = false }: ApplyOptions,
    operation: Operation,
    more: readonly Difference[],
  ): Promise<Applied> {
    const { firewall, expiry } = this.#options;
    this.#state.refuseOtherRevision(ifRevision);
    const differences = [...await this.#plan(wanted, isWhole), ...more];
    const live = liveOn(await this.#state.plane.liveTraffic());
    if (dryRun) return { differences, live, revision: this.#state.revision, closed: 0 };
    await this.#state.commit(differences, { ...operation, isOfWholeState: true });
    if (wanted.rateLimit !== undefined) firewall.adoptRateLimit(wanted.rateLimit);
    expiry.schedule();
    const closed = close ? await this.#closeTouched(differences, live) : 0;
    return { differences, live, revision: this.#state.revision, closed };
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
