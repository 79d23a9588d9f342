import type { Config } from "../config/mod.ts";
import type { Database } from "../db/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { FleetOptions } from "./control_options.ts";
import { FleetView } from "./fleet_view.ts";
import { Group, type GroupTarget } from "./group.ts";
import type { Sayer } from "./explain_sayer.ts";
import { type FleetFigures, GroupPresence, type GroupPresenceOptions } from "./group_presence.ts";
import type { GroupLog } from "./group_log.ts";
import type { ServedState } from "./served_state.ts";

/** What a {@link GroupMembership} works with. */
export interface GroupMembershipOptions {
  readonly fleet: FleetOptions;
  readonly config: Config;
  readonly database: Database;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * That a proxy belongs to a group: what its state is made of before there is one, then the view of all
 * members, and the following of the log once this process may write.
 */
export class GroupMembership implements AsyncDisposable {
  readonly #options: GroupMembershipOptions;
  readonly #group: Group;
  #joined: { readonly state: ServedState; readonly view: FleetView } | undefined;
  #presence: GroupPresence | undefined;

  constructor(options: GroupMembershipOptions) {
    const { fleet: { link }, database, now } = options;
    this.#options = options;
    this.#group = new Group({ link, database, now });
  }

  /** Where changes are said first. */
  get group(): GroupLog {
    return this.#group;
  }

  /** Where the listeners are here that the group knows by a name. */
  get listenerNames(): ReadonlyMap<string, string> {
    const listeners = this.#options.config.state.local?.listeners ?? [];
    return new Map(listeners.map(({ name, addr }) => [name, addr]));
  }

  /** Which group it is, for people. */
  get path(): string {
    const { server: { host, port, database }, group } = this.#options.fleet.link.options;
    return `${host}:${port}/${database} ${group}`;
  }

  /** Questions about the group as a whole; only after {@link attach}. */
  get view(): FleetView {
    return this.#attached.view;
  }

  /** Why the proxy is not well, if it may not lag as it does. */
  get problem(): string | undefined {
    return this.#presence?.problem;
  }

  /** What is odd about following; one sentence each. */
  get warnings(): readonly string[] {
    return this.#presence?.warnings ?? [];
  }

  /** What is measured of its part in the group. */
  get figures(): FleetFigures | undefined {
    return this.#presence?.figures;
  }

  /** Who answers questions about what is in effect. */
  get sayer(): Sayer | undefined {
    return this.#presence?.sayer;
  }

  /** What the group changes here; before anything is written or followed. */
  attach(target: GroupTarget): void {
    const { state } = target;
    this.#group.attach(target);
    this.#joined = { state, view: new FleetView({ link: this.#options.fleet.link, state }) };
  }

  /** Begins to follow the log, once this process may write. */
  follow(heard: Pick<GroupPresenceOptions, "health" | "board" | "watch" | "onOrders">): void {
    const { fleet: { link, version, beatMs }, config, log, now } = this.#options;
    const { shareHealth = false, shareLimits = false } = config.state.postgres ?? {};
    const { state } = this.#attached;
    this.#presence = new GroupPresence({
      ...{ ...heard, group: this.#group, link, state, version, log, now },
      listenerNames: this.listenerNames,
      ...beatMs !== undefined && { beatMs },
      sharesHealth: shareHealth,
      sharesLimits: shareLimits,
      maxLagMs: config.state.local?.maxLagMs ?? 0,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#presence?.[Symbol.asyncDispose]();
  }

  get #attached() {
    if (this.#joined === undefined) throw new TypeError("the group changes nothing yet");
    return this.#joined;
  }
}
