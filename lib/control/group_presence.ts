import type { Bulletin, Exchanged, FleetLink, Report } from "../fleet/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { BackendBoard } from "./backend_board.ts";
import type { Sayer } from "./explain_sayer.ts";
import { openConnections, readFleetStatus } from "./fleet_status.ts";
import type { Group } from "./group.ts";
import type { BackendWatch } from "./backend_watch.ts";
import { GroupBulletin } from "./group_bulletin.ts";
import { GroupChecks } from "./group_checks.ts";
import { GroupLimits } from "./group_limits.ts";
import { GroupDrain } from "./group_drain.ts";
import { GroupFollower } from "./group_follower.ts";
import type { ServedState } from "./served_state.ts";

/** What a {@link GroupPresence} works with. */
export interface GroupPresenceOptions {
  readonly group: Group;
  readonly link: FleetLink;
  readonly state: ServedState;
  readonly board: BackendBoard;
  readonly watch: BackendWatch;
  /** Whether checks of backends are split over the proxies of the group. */
  readonly sharesHealth: boolean;
  /** Whether rate limits hold over all proxies of the group. */
  readonly sharesLimits: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Addresses of listeners by what the group calls them. */
  readonly listenerNames: ReadonlyMap<string, string>;
  readonly version: string;
  /** Why the proxy is not well; empty: it is. */
  readonly health: () => string;
  /** See {@link GroupFollower}. */
  readonly onOrders: () => void;
  readonly log: LogSink;
  /** See {@link GroupFollower}. */
  readonly maxLagMs: number;
  /** See {@link GroupBulletin}. */
  readonly beatMs?: number;
}

/** That the group has this proxy drained. */
export interface Drained {
  /** Who wants it, where. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Connections that have not ended. */
  readonly open: number;
}

/** A proxy's part in its group in figures. */
export interface FleetFigures {
  /** Proxies that are there, this one among them. */
  readonly members: number;
  /** Since it was where its group is. */
  readonly lagSeconds: number;
  readonly isDrained: boolean;
  /** Backends that are to be checked, and those that this proxy checks itself. */
  readonly checks: { readonly all: number; readonly here: number };
  /** Clients whose connections it tells the others, and by how many it divides its rate limits. */
  readonly limits: { readonly told: number; readonly shares: number };
}

/** A proxy's part in its group while it runs: it follows the log, and talks with the others. */
export class GroupPresence implements AsyncDisposable {
  readonly #options: GroupPresenceOptions;
  readonly #startedAt = performance.now();
  readonly #follower: GroupFollower;
  readonly #bulletin: GroupBulletin;
  readonly #drain: GroupDrain;
  /** Absent: each proxy checks all backends itself. */
  readonly #checks: GroupChecks | undefined;
  /** Absent: each proxy has the limits for itself. */
  readonly #limits: GroupLimits | undefined;

  constructor(options: GroupPresenceOptions) {
    this.#options = options;
    const { link, state, board, sharesHealth, sharesLimits } = options;
    this.#limits = sharesLimits ? new GroupLimits(options) : undefined;
    this.#drain = new GroupDrain(options);
    const onFound = () => this.#bulletin.callAttention();
    this.#checks = sharesHealth
      ? new GroupChecks({ ...options, proxy: link.options.proxy, onFound })
      : undefined;
    const { beatMs, ...following } = options;
    this.#follower = new GroupFollower({
      ...following,
      report: () => this.#report(),
      onAttention: () => this.#bulletin.hearCall(),
    });
    this.#bulletin = new GroupBulletin({
      link,
      report: () => this.#report(),
      bulletin: () => this.#tell(),
      status: () => readFleetStatus({ state, board }),
      onHeard: (exchanged) => this.#hear(exchanged),
      ...beatMs !== undefined && { beatMs },
    });
  }

  /** Why the proxy is not well because of its group. */
  get problem(): string | undefined {
    return this.#follower.problem;
  }

  /** What is odd, and works all the same; one sentence each. */
  get warnings(): readonly string[] {
    const { problem } = this.#drain;
    const drain = problem === undefined
      ? []
      : [`whether new connections are taken is not as the group wants it: ${problem}`];
    return [...this.#follower.warnings, ...drain];
  }

  /** What is measured of it. */
  get figures(): FleetFigures {
    return {
      members: this.#bulletin.others.length + 1,
      lagSeconds: this.#follower.lagMs / 1000,
      isDrained: this.#options.state.snapshot.isDrained === true,
      checks: this.#options.watch.counts,
      limits: this.#limits?.figures ?? { told: 0, shares: 1 },
    };
  }

  /** Who answers a question about what is in effect. */
  get sayer(): Sayer {
    const { link, state } = this.#options;
    const { lagMs } = this.#follower;
    return { proxy: link.options.proxy, revision: state.revision, lagMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#limits?.[Symbol.dispose]();
    await this.#bulletin[Symbol.asyncDispose]();
    await this.#follower[Symbol.asyncDispose]();
  }

  #report(): Report {
    const { group, state, version, health } = this.#options;
    return {
      ...{ version, epoch: group.position.epoch, revision: state.revision, health: health() },
      uptimeMs: performance.now() - this.#startedAt,
    };
  }

  #tell(): Bulletin {
    const checks = this.#checks?.told;
    const counts = this.#limits?.tell();
    return { ...checks && { checks }, ...counts && { counts } };
  }

  #hear(exchanged: Exchanged | undefined): void {
    if (exchanged !== undefined) void this.#drain.take(exchanged.drain);
    this.#checks?.hear(exchanged?.others ?? []);
    this.#limits?.hear(exchanged?.others);
  }
}

/** Whether, and for whom, the group has this proxy drained: as far as it is in effect here. */
export function drainedBy(state: ServedState): Drained | undefined {
  if (state.snapshot.isDrained !== true) return undefined;
  const { by = "its group", since = 0 } = state.database.settings.drain ?? {};
  return { by, since, open: openConnections(state) };
}

/** The same, in one sentence. */
export function drainWords(drained: Drained | undefined): string | undefined {
  if (drained === undefined) return undefined;
  const { by, open } = drained;
  const state = open === 0 ? "drained" : `draining, ${open} connections are open`;
  return `${state}: ${by} wants no new ones here`;
}
