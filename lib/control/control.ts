import type { PublishedSet } from "../db/mod.ts";
import type { ListenerSnapshot, Plane } from "../plane/mod.ts";
import type { FleetLink } from "../fleet/mod.ts";
import type { History } from "../history/mod.ts";
import { AutoBans, isProtected } from "./auto_bans.ts";
import { BackendAdministration } from "./backend_administration.ts";
import type { BackendBoard } from "./backend_board.ts";
import { BackendWatch } from "./backend_watch.ts";
import {
  type CertificateStatus,
  type CertifiedRoute,
  listCertificates,
} from "./certificate_list.ts";
import type { ControlOptions } from "./control_options.ts";
import { connectorName } from "./connector_files.ts";
import { DnsChanges } from "./dns_changes.ts";
import { DatabaseCare } from "./database_care.ts";
import { storeFirstState } from "./first_state.ts";
import { FleetView } from "./fleet_view.ts";
import { FirstWrite } from "./first_write.ts";
import { RuleExpiry } from "./expiry.ts";
import { explain, type ExplainRequest, type Explanation } from "./explain.ts";
import { FirewallAdministration } from "./firewall_administration.ts";
import { GeoIpInUse } from "./geoip_in_use.ts";
import { Group } from "./group.ts";
import { GroupFollower } from "./group_follower.ts";
import type { NamedFiles } from "./named_files.ts";
import { type Issuance, openIssuance } from "./open_issuance.ts";
import { PublishedRecords } from "./published_records.ts";
import { readRegularFile } from "./regular_file.ts";
import { Replay } from "./replay.ts";
import { type ResolverFilesWatch, watchResolverFiles } from "./resolver_files.ts";
import type { RouteMaterials } from "./route_materials.ts";
import { RoutingAdministration } from "./routing_administration.ts";
import { ACME } from "../state/mod.ts";
import { RunningTotals } from "./running_totals.ts";
import { ServedState } from "./served_state.ts";
import { type StartedPlane, type StartOptions, startPlane } from "./plane_start.ts";
import { StateAdministration } from "./state_administration.ts";
import type { StateSource } from "./state_source.ts";
import { problemOf, readStatus, type Status } from "./status.ts";
import type { Noter, Tap } from "./tap.ts";
import { Upkeep } from "./upkeep.ts";
import type { WrittenBack } from "./write_back.ts";

/** What a proxy says to its group of itself is a line, of so many sentences and characters. */
const MAX_REPORTED = 3;
const MAX_REPORT = 500;

/**
 * The control plane: the single writer. It turns database rows and settings into the snapshot that
 * the data plane serves, and is the only one that changes either.
 */
export class Control {
  readonly routing: RoutingAdministration;
  readonly firewall: FirewallAdministration;
  readonly wholeState: StateAdministration;
  readonly totals: RunningTotals;
  /** Files that are renewed, and memory. */
  readonly upkeep: Upkeep;
  /** Where the files of the state are. */
  readonly files: NamedFiles;
  readonly geoip: GeoIpInUse;
  /** How the backends of routes are, and changes of single ones. */
  readonly board: BackendBoard;
  readonly backends: BackendAdministration;
  /** Certificates from an authority; absent: there is none. */
  readonly issuance: Issuance | undefined;
  /** Changes of records at the name server; absent: there is none. */
  readonly dns: DnsChanges | undefined;
  /** Records that are made of routes; absent: there is no name server. */
  readonly published: PublishedRecords | undefined;
  /** For questions; changes go through the three above. */
  readonly state: ServedState;
  readonly #options: StartOptions;
  readonly #now: () => number;
  readonly #expiry: RuleExpiry;
  readonly #startedAt: number;
  readonly #resolver: ResolverFilesWatch | undefined;
  readonly #care: DatabaseCare;
  readonly #firstWrite: FirstWrite;
  readonly #watch: BackendWatch;
  readonly #materials: RouteMaterials;
  readonly #bans: AutoBans;
  /** What a change would have meant yesterday. */
  readonly replay: Replay;
  #keepReachable: () => Promise<void> = () => Promise.resolve();
  #onWriteFailed: () => void = () => {};
  readonly #group: Group | undefined;
  /** The group that the proxy belongs to; absent: it is alone. */
  readonly fleet: FleetView | undefined;
  /** Made of routes by a start that had a name server. */
  readonly #leftRecords: readonly PublishedSet[];
  #follower: GroupFollower | undefined;
  readonly #tap: Tap;

  private constructor(options: StartOptions, { startUp, plane, tap }: StartedPlane) {
    const { database, log, readFile, now, compile } = options;
    const { snapshot, geoip, rateLimit, materials, pages, board, files } = startUp;
    database.neverBlock();
    this.#options = options;
    this.#now = now;
    this.#tap = tap;
    this.#startedAt = now();
    this.#materials = materials;
    this.files = files;
    const state = new ServedState({
      database,
      plane,
      snapshot,
      log,
      now,
      materials,
      pages,
      board,
      onWriteFailed: () => this.#onWriteFailed(),
      ...options.config.state.source === "file" && { file: options.file?.path ?? "the file" },
      ...compile && { compile },
      ...options.limits && { limits: options.limits },
      ...options.fleet && {
        listenerNames: new Map(
          options.config.state.local?.listeners.map(({ name, addr }) => [name, addr]),
        ),
        group: this.#group = new Group({ link: options.fleet.link, database, now }),
      },
    });
    this.state = state;
    this.#firstWrite = new FirstWrite(state);
    this.board = board;
    this.#watch = new BackendWatch({ board, snapshot: () => state.snapshot, now });
    this.totals = new RunningTotals({ plane, database, log });
    const expiry = new RuleExpiry({ state, now, log });
    this.#expiry = expiry;
    const { config: { acme, connector } } = options;
    this.routing = new RoutingAdministration({ state, readFile: files.readFile, acme });
    this.backends = new BackendAdministration({ state, board, routing: this.routing });
    this.firewall = new FirewallAdministration({ state, expiry, rateLimit, now });
    const { firewall } = this;
    const { config: { mcns } } = options;
    this.dns = mcns && new DnsChanges({ config: mcns, state, readFile, log, now });
    const { dns } = this;
    this.published = mcns && dns && new PublishedRecords({
      ...{ changes: dns, state, log },
      zones: mcns.zones,
      publish: mcns.publish,
    });
    this.#leftRecords = database.published.list();
    this.wholeState = new StateAdministration({
      state,
      firewall,
      expiry,
      readFile: files.readFile,
      acme,
      now,
      dns,
    });
    this.issuance = acme && startUp.issued && openIssuance(acme, startUp.issued, {
      ...{ state, readFile, now, log },
      userAgent: options.userAgent ?? "mc-proxy",
      resolvers: options.config.resolver.servers,
      mcns,
      names: connector?.serverCert === ACME ? [connectorName(connector)] : [],
      activate: () => this.upkeep.lookAtCertificates(),
    });
    this.upkeep = new Upkeep({ connector, startUp, state, now, log });
    this.geoip = new GeoIpInUse({
      path: options.config.firewall.geoipDb,
      loaded: geoip,
      state,
      readFile,
      log,
      onRead: (refusal) => this.upkeep.noteGeoIp(refusal),
    });
    this.#resolver = watchResolverFiles(startUp.resolver, { ...options, state });
    this.#bans = new AutoBans({
      bans: options.config.bans,
      ipv6Prefix: options.config.firewall.ipv6Prefix,
      isProtected: (ip) => isProtected(ip, state.snapshot, this.geoip.loaded?.geoip),
      ...{ state, expiry, now, log },
    });
    const { history } = options;
    this.replay = new Replay({ history, state, geoip: () => this.geoip.loaded?.geoip, now });
    this.#care = new DatabaseCare({
      ...{ state, expiry, issuance: this.issuance, log },
      whileHeld: () => this.#keepReachable(),
    });
    this.fleet = options.fleet && new FleetView({ link: options.fleet.link, state });
    this.#group?.attach({
      state,
      rateLimit: () => firewall.rateLimit,
      onFollowed: (differences) => {
        for (const { edits } of differences) firewall.adoptEdits(edits);
        expiry.schedule();
      },
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
        ...{ config, log, now: this.#now, joined: this.#options.fleet?.joined },
        ...file && { file: file.path, copyTo: file.copyTo },
      }));
  }

  /** Where the listeners are bound, in the order of the snapshot. */
  get listeners(): readonly ListenerSnapshot[] {
    return this.state.snapshot.listeners;
  }

  /** Where the truth about the state is. */
  get source(): StateSource {
    const { config: { state, database }, file, fleet } = this.#options;
    if (fleet !== undefined) return { kind: "postgres", path: pathOf(fleet.link) };
    return { kind: state.source, path: state.source === "file" ? file?.path ?? "" : database.path };
  }

  /** Begins to follow the group, if there is one, once this process may write. */
  follow(health: () => string): void {
    const { fleet, log } = this.#options;
    if (fleet === undefined || this.#group === undefined) return;
    const { link, version } = fleet;
    this.#follower = new GroupFollower({
      ...{ group: this.#group, link, state: this.state, version, log },
      health: () => memberHealth(health(), this.upkeep.refusals),
      maxLagMs: this.#options.config.state.local?.maxLagMs ?? 0,
    });
  }

  /** Why a proxy of a group is not well, if it may not lag so long. */
  get groupProblem(): string | undefined {
    return this.#follower?.problem;
  }

  /** What is odd about following the group; one sentence each. */
  get groupWarnings(): readonly string[] {
    return this.#follower?.warnings ?? [];
  }

  /** Why records at the name server are not what routes say; one sentence each. */
  get recordWarnings(): readonly string[] {
    if (this.published !== undefined) return this.published.warnings;
    const { length } = this.#leftRecords;
    if (length === 0) return [];
    return [`${length} sets of records stay at the name server, made of routes: [mcns] is gone`];
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
    return problemOf(this.state) || (this.#care.problem ?? this.groupProblem ?? "");
  }

  /** Why the database cannot be trusted with changes, if it cannot. */
  get databaseProblem(): string | undefined {
    return this.#care.problem;
  }

  /**
   * Writes the database back to its path, after its file was removed or replaced while we ran.
   *
   * @throws {RefusedError} if there is nothing to write back, or not from here.
   */
  async writeBack(signal?: AbortSignal): Promise<WrittenBack> {
    return await this.#care.writeBack(signal);
  }

  /**
   * Tries to write the database, for as long as a change would.
   *
   * @throws {DatabaseError} if nothing can be written.
   */
  async checkDatabase(): Promise<void> {
    await this.#care.check();
  }

  /** What is known of the certificates of routes, see {@link certifiedRoutes}. */
  certificates(routes: readonly CertifiedRoute[]): CertificateStatus[] {
    return listCertificates(routes, {
      materials: this.#materials,
      issuance: this.issuance,
    });
  }

  /** A look at the whole proxy. */
  status(): Promise<Status> {
    return readStatus({
      state: this.state,
      totals: this.totals,
      board: this.board,
      geoip: this.geoip.loaded,
      rateLimit: this.firewall.rateLimit,
      startedAt: this.#startedAt,
      source: this.source,
      now: this.#now(),
      dnsChanges: this.#waitingDnsChanges(),
    });
  }

  /** Of a database that cannot be read nothing is known: what is served and its problem are told still. */
  #waitingDnsChanges(): Status["dnsChanges"] {
    try {
      return this.dns?.waiting() ?? [];
    } catch {
      return [];
    }
  }

  /**
   * What would happen to a connection, and why.
   *
   * @throws {RefusedError}
   */
  explain(request: ExplainRequest): Explanation {
    const { state, board, files, routing: { pendingDrains: drains } } = this;
    const geoip = this.geoip.loaded?.geoip;
    return explain(request, { state, geoip, drains, board, files, nowMs: this.#now() });
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
    this.#care[Symbol.dispose]();
    this.#watch[Symbol.dispose]();
    this.upkeep[Symbol.dispose]();
    this.#resolver?.[Symbol.dispose]();
    this.routing.close();
    this.backends.close();
    await this.#follower?.[Symbol.asyncDispose]();
    // What waits for the name server is given up: whoever comes after goes on.
    await Promise.all([this.dns, this.published].map((it) => it?.[Symbol.asyncDispose]()));
    await this.state.close();
    await this.totals.close();
    await this.plane.drain(timeoutMs);
  }
}

/** What a proxy reports of itself: why it is not well, and which files it is without. */
function memberHealth(problem: string, refusals: readonly string[]): string {
  const said = [problem, ...refusals].filter((it) => it !== "");
  const shown = said.slice(0, MAX_REPORTED).join("; ").slice(0, MAX_REPORT);
  return said.length <= MAX_REPORTED ? shown : `${shown}; and ${said.length - MAX_REPORTED} more`;
}

/** Which group it is, for people. */
function pathOf({ options: { server: { host, port, database }, group } }: FleetLink): string {
  return `${host}:${port}/${database} ${group}`;
}
