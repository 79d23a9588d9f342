import type { ListenerSnapshot, Plane } from "../plane/mod.ts";
import type { History } from "../history/mod.ts";
import type { AutoBans } from "./auto_bans.ts";
import { BackendAdministration } from "./backend_administration.ts";
import type { BackendBoard } from "./backend_board.ts";
import { BackendWatch } from "./backend_watch.ts";
import {
  type CertificateStatus,
  type CertifiedRoute,
  listCertificates,
} from "./certificate_list.ts";
import type { ControlOptions } from "./control_options.ts";
import { autoBansOf, groupIssuanceOf, issuanceOf, openState } from "./control_parts.ts";
import { DatabaseCare } from "./database_care.ts";
import { storeFirstState } from "./first_state.ts";
import type { FleetView } from "./fleet_view.ts";
import { FirstWrite } from "./first_write.ts";
import { RuleExpiry } from "./expiry.ts";
import { explain } from "./explain.ts";
import type { ExplainRequest, Explanation } from "./explanation.ts";
import { saidBy } from "./explain_sayer.ts";
import { FirewallAdministration } from "./firewall_administration.ts";
import { GeoIpInUse } from "./geoip_in_use.ts";
import { GroupMembership } from "./group_membership.ts";
import { type Drained, drainedBy, type FleetFigures } from "./group_presence.ts";
import { memberHealth } from "./member_health.ts";
import { NameServer } from "./name_server.ts";
import type { NamedFiles } from "./named_files.ts";
import type { GroupIssuance } from "./group_issuance.ts";
import type { Issuance } from "./open_issuance.ts";
import { readRegularFile } from "./regular_file.ts";
import { Replay } from "./replay.ts";
import { type ResolverFilesWatch, watchResolverFiles } from "./resolver_files.ts";
import type { RouteMaterials } from "./route_materials.ts";
import { RoutingAdministration } from "./routing_administration.ts";
import { RunningTotals } from "./running_totals.ts";
import type { ServedState } from "./served_state.ts";
import { type StartedPlane, type StartOptions, startPlane } from "./plane_start.ts";
import { StateAdministration } from "./state_administration.ts";
import { sourceOf, type StateSource } from "./state_source.ts";
import { problemOf, readStatus, type Status } from "./status.ts";
import type { Noter, Tap } from "./tap.ts";
import { Upkeep } from "./upkeep.ts";

/**
 * The control plane: the single writer. It turns database rows and settings into the snapshot that
 * the data plane serves, and is the only one that changes either.
 */
export class Control {
  /** For questions; changes go through the parts below. */
  readonly state: ServedState;
  readonly routing: RoutingAdministration;
  readonly firewall: FirewallAdministration;
  readonly wholeState: StateAdministration;
  /** How the backends of routes are, and changes of single ones. */
  readonly board: BackendBoard;
  readonly backends: BackendAdministration;
  /** Certificates from an authority; absent: there is none. */
  readonly issuance: Issuance | undefined;
  readonly nameServer: NameServer;
  /** That changes are kept, and what becomes of them when the database is lost. */
  readonly database: DatabaseCare;
  readonly totals: RunningTotals;
  /** Files that are renewed, and memory. */
  readonly upkeep: Upkeep;
  /** Where the files of the state are. */
  readonly files: NamedFiles;
  readonly geoip: GeoIpInUse;
  /** What a change would have meant yesterday. */
  readonly replay: Replay;
  readonly #options: StartOptions;
  readonly #startedAt: number;
  readonly #tap: Tap;
  readonly #materials: RouteMaterials;
  readonly #membership: GroupMembership | undefined;
  readonly #orders: GroupIssuance | undefined;
  readonly #firstWrite: FirstWrite;
  readonly #expiry: RuleExpiry;
  readonly #watch: BackendWatch;
  readonly #resolver: ResolverFilesWatch | undefined;
  readonly #bans: AutoBans;
  #keepReachable: () => Promise<void> = () => Promise.resolve();
  #onWriteFailed: () => void = () => {};

  private constructor(options: StartOptions, { startUp, plane, tap }: StartedPlane) {
    const { config, config: { acme, connector, mcns }, database, log, readFile, now } = options;
    const { geoip, rateLimit, board, files } = startUp;
    database.neverBlock();
    this.#options = options;
    this.#tap = tap;
    this.#startedAt = now();
    this.#materials = startUp.materials;
    this.files = files;
    const { fleet, history } = options;
    const membership = fleet && new GroupMembership({ fleet, config, database, log, now });
    this.#membership = membership;
    const onWriteFailed = () => this.#onWriteFailed();
    const state = openState(options, { startUp, plane }, { membership, onWriteFailed });
    this.state = state;
    this.#firstWrite = new FirstWrite(state);
    this.board = board;
    this.#watch = new BackendWatch({ board, snapshot: () => state.snapshot, now });
    this.totals = new RunningTotals({ plane, database, log });
    const expiry = new RuleExpiry({ state, now, log });
    this.#expiry = expiry;
    this.routing = new RoutingAdministration({ state, readFile: files.readFile, acme });
    this.backends = new BackendAdministration({ state, board, routing: this.routing });
    const firewall = new FirewallAdministration({ state, expiry, rateLimit, now });
    this.firewall = firewall;
    this.nameServer = new NameServer({ config: mcns, state, readFile, log, now });
    this.wholeState = new StateAdministration({
      ...{ state, firewall, expiry, readFile: files.readFile, acme, now },
      dns: this.nameServer.changes,
    });
    const activate = () => this.upkeep.lookAtCertificates();
    this.#orders = groupIssuanceOf(options, { startUp, state, activate });
    this.issuance = issuanceOf(options, { startUp, state, activate, group: this.#orders });
    this.upkeep = new Upkeep({ connector, startUp, state, now, log });
    this.geoip = new GeoIpInUse({
      ...{ path: config.firewall.geoipDb, loaded: geoip, state, readFile, log },
      onRead: (refusal) => this.upkeep.noteGeoIp(refusal),
    });
    this.#resolver = watchResolverFiles(startUp.resolver, { ...options, state });
    this.#bans = autoBansOf(options, { state, expiry, geoip: this.geoip });
    this.replay = new Replay({ history, state, geoip: () => this.geoip.loaded?.geoip, now });
    this.database = new DatabaseCare({
      ...{ state, expiry, issuance: this.issuance, log },
      whileHeld: () => this.#keepReachable(),
    });
    membership?.attach({
      state,
      rateLimit: () => firewall.rateLimit,
      onFollowed: (differences) => firewall.adoptDifferences(differences),
    });
    expiry.schedule();
  }

  /**
   * Compiles the first snapshot and starts the data plane; resolves when every listener is bound. A
   * database that has never been written is left so until {@link keep}.
   *
   * @throws {ControlError} if there is nothing to serve, a country rule cannot be applied, or a port
   * is in use.
   * @throws {Error} if a listener cannot be bound.
   */
  static async start(options: ControlOptions): Promise<Control> {
    const { readFile = readRegularFile, now = Date.now, history } = options;
    const complete = { ...options, readFile, now };
    const started = await startPlane(complete);
    const control = new Control(complete, started);
    if (started.isPending) control.#firstWrite.hold();
    control.#tap.add(control.#bans);
    if (history !== undefined) control.#tap.add(history);
    return control;
  }

  /**
   * Opens what administers the proxy, and when that is done writes what the configuration says into a
   * database that has never been written, or whose truth the file is: whatever fails until then leaves
   * it as it was. Changes that are asked for meanwhile wait.
   *
   * @throws {DatabaseError}
   */
  async keep<T extends AsyncDisposable | undefined>(open: () => Promise<T>): Promise<T> {
    const { config, database, log, file } = this.#options;
    return await this.#firstWrite.after(open, () =>
      storeFirstState(database, {
        ...{ config, log, now: this.#options.now, joined: this.#options.fleet?.joined },
        ...file && { file: file.path, copyTo: file.copyTo },
      }));
  }

  /** Where the listeners are bound, in the order of the snapshot. */
  get listeners(): readonly ListenerSnapshot[] {
    return this.state.snapshot.listeners;
  }

  /** Where the truth about the state is. */
  get source(): StateSource {
    return sourceOf(this.#options, this.#membership);
  }

  /** The group that the proxy belongs to; absent: it is alone. */
  get fleet(): FleetView | undefined {
    return this.#membership?.view;
  }

  /** Begins to follow the group, if there is one, once this process may write. */
  follow(health: () => string): void {
    this.#membership?.follow({
      health: () => memberHealth(health(), this.upkeep.refusals),
      board: this.board,
      watch: this.#watch,
      onOrders: () => this.#orders?.announced(),
    });
    this.#orders?.start(() => this.issuance?.turnsHaveChanged());
  }

  /** Its part in the group in figures; absent: it is alone. */
  get fleetFigures(): FleetFigures | undefined {
    return this.#membership?.figures;
  }

  /** That the group has this proxy drained, if it has. */
  get drained(): Drained | undefined {
    return drainedBy(this.state);
  }

  /** Why a proxy of a group is not well, if it may not lag so long. */
  get groupProblem(): string | undefined {
    return this.#membership?.problem;
  }

  /** What is odd about following the group; one sentence each. */
  get groupWarnings(): readonly string[] {
    return [...this.#membership?.warnings ?? [], ...this.#orders?.warnings ?? []];
  }

  /** The data plane, for questions. */
  get plane(): Plane {
    return this.state.plane;
  }

  /** What connections have left behind, if it is kept. */
  get history(): History | undefined {
    return this.#options.history;
  }

  /** Why the proxy is not healthy; empty if it is. */
  get problem(): string {
    return problemOf(this.state) || (this.database.problem ?? this.groupProblem ?? "");
  }

  /** What is known of the certificates of routes, see {@link certifiedRoutes}. */
  certificates(routes: readonly CertifiedRoute[]): CertificateStatus[] {
    return listCertificates(routes, { materials: this.#materials, issuance: this.issuance });
  }

  /** A look at the whole proxy. */
  status(): Promise<Status> {
    const { state, totals, board, source, geoip: { loaded: geoip } } = this;
    return readStatus({
      ...{ state, totals, board, source, geoip, rateLimit: this.firewall.rateLimit },
      ...{ startedAt: this.#startedAt, now: this.#options.now() },
      dnsChanges: this.nameServer.waiting,
    });
  }

  /**
   * What would happen to a connection, and why.
   *
   * @throws {RefusedError}
   */
  explain(request: ExplainRequest): Explanation {
    const { state, board, files, routing: { pendingDrains: drains } } = this;
    const [geoip, nowMs] = [this.geoip.loaded?.geoip, this.#options.now()];
    const found = explain(request, { state, geoip, drains, board, files, nowMs });
    return saidBy(this.#membership?.sayer, found);
  }

  /**
   * Calls `body` now and then while this process has the right to write: what names it to the outside,
   * as the admin socket does, may have been taken by a process that failed to take over, or removed.
   */
  keepReachable(body: () => Promise<void>): void {
    this.#keepReachable = body;
  }

  /** Passes on what connections leave behind, until what it returns is disposed of. */
  watchEvents(noter: Noter): Disposable {
    return this.#tap.add(noter);
  }

  /** Calls `body` when a change could not be written for want of room or of rights. */
  onWriteFailed(body: () => void): void {
    this.#onWriteFailed = body;
  }

  /** Finishes the changes in progress, stops accepting, lets connections end, then cuts them. */
  async drain(timeoutMs: number): Promise<void> {
    this.#firstWrite.release();
    this.#expiry.close();
    this.#bans.close();
    this.database[Symbol.dispose]();
    this.#watch[Symbol.dispose]();
    this.upkeep[Symbol.dispose]();
    this.#resolver?.[Symbol.dispose]();
    this.routing.close();
    this.backends.close();
    // Orders are given up while it can be said whose turn it is next.
    await this.issuance?.[Symbol.asyncDispose]();
    await this.#membership?.[Symbol.asyncDispose]();
    await this.#orders?.[Symbol.asyncDispose]();
    await this.nameServer[Symbol.asyncDispose]();
    await this.state.close();
    await this.totals.close();
    await this.plane.drain(timeoutMs);
  }
}
