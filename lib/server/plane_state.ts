import { type Endpoint, parseBackendEndpoint, type Result } from "../addr/mod.ts";
import { Balancers } from "../balance/mod.ts";
import { type Admission, TrustMemory } from "../connector/mod.ts";
import {
  type CurrentRoutes,
  EngineLimits,
  L7Service,
  type L7Settings,
  type PageContent,
  type TlsMaterial,
} from "../l7/mod.ts";
import {
  type Counters,
  type Descriptors,
  type LogSink,
  Pressure,
  type RequestCounts,
  type RequestEvent,
} from "../observe/mod.ts";
import type { Settings, Snapshot } from "../plane/mod.ts";
import {
  BrokenWatch,
  type Clock,
  ConnectDeadlines,
  connectWith,
  Deadlines,
  DeadlinesByTime,
  type Lookup,
  type RelayOptions,
  systemLookup,
} from "../relay/mod.ts";
import { Resolver, type ResolverSettings } from "../resolver/mod.ts";
import { RedirectService } from "../redirect/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Sockets } from "../tcp/mod.ts";
import { Handshakes, type HandshakesOptions } from "../tls/mod.ts";
import { ServedCounts } from "./accounting.ts";
import { AttemptDeadlines } from "./attempt_deadlines.ts";
import { Challenges } from "./challenges.ts";
import type { Connector } from "./connector.ts";
import { SourceRules } from "./source_rules.ts";
import { Streams } from "./streams.ts";

/** For the PROXY header and the ClientHello together (DESIGN: ≤ 5 s). */
const PEEK_TIMEOUT_MS = 5000;

/** The port of `httpsPlace` (lib/routes). */
export type HttpsPort = (
  name: string,
  isAllowed: (route: Route) => boolean,
) => number | undefined;

/** What the state of a plane is made with. */
export interface PlaneStateOptions {
  readonly clock: Clock;
  readonly sockets: Sockets;
  readonly descriptors: Descriptors;
  readonly worker: number;
  readonly counters: Counters;
  readonly requests: RequestCounts;
  readonly onRequest?: (event: RequestEvent) => void;
  readonly log: LogSink;
  /** What the listeners' tables hold now. */
  readonly currentRoutes: CurrentRoutes;
  readonly httpsPort: HttpsPort;
  readonly admission?: Admission;
  /** Of the listeners that are bound. */
  readonly ownPorts: () => Iterable<number>;
  /** Default 5 s. */
  readonly peekTimeoutMs?: number;
  readonly handshakes?: HandshakesOptions;
}

/**
 * What every connection of one worker looks up, and the ways in which a change replaces a piece of
 * it.
 */
export class PlaneState {
  readonly clock: Clock;
  /** What is decided by the client's address. */
  readonly sources: SourceRules;
  readonly counters: Counters;
  /** By rule, route and backend. */
  readonly counts: ServedCounts = new ServedCounts();
  /** Index of the worker, for what it takes of shared limits. */
  readonly worker: number;
  /** For the PROXY header and the ClientHello together. */
  readonly peekDeadlines: Deadlines;
  readonly l7: L7Service;
  /** Listeners of plain HTTP. */
  readonly redirects: RedirectService;
  readonly httpsPort: HttpsPort;
  /** By {@link TlsMaterial.id}. */
  readonly tls = new Map<string, TlsMaterial>();
  /** What files of error pages hold, by their paths. */
  readonly pages = new Map<string, Uint8Array>();
  /** Names that are being proved to a certificate authority. */
  readonly challenges: Challenges = new Challenges();
  /** What is known of clients' certificates, whatever connector they came to. */
  readonly trustMemory: TrustMemory = new TrustMemory();
  readonly admission: Admission | undefined;
  /** TLS handshakes that are under way, of l7 and mtls. */
  readonly handshakes: Handshakes;
  /** Where this proxy listens itself. */
  readonly ownPorts: () => Iterable<number>;
  /** Connections to l4 and mtls backends. */
  readonly streams: Streams;
  /** What chooses between several backends of a route. */
  readonly balancers: Balancers;
  connectDeadlines: ConnectDeadlines;
  relayOptions: RelayOptions;
  readonly #idleTimes: DeadlinesByTime;
  /** Absent: connections of mtls routes are refused. */
  connector: Connector | undefined;
  readonly #attemptDeadlines = new AttemptDeadlines();
  readonly #wantsRequests: boolean;
  readonly #targets = new WeakMap<Route, Result<Endpoint>>();
  #settings: Settings;
  #resolver: Resolver | undefined;
  readonly #descriptors: Descriptors;
  #pressure: Pressure | undefined;
  /** Connections begin and end all the time: timers for them are not started for each. */
  readonly #kept: readonly (() => void)[];
  #keptIdle: () => void;

  constructor(
    options: PlaneStateOptions,
    { settings, firewall }: Pick<Snapshot, "settings" | "firewall">,
  ) {
    const { clock, counters, requests, onRequest } = options;
    this.clock = clock;
    this.worker = options.worker;
    this.counters = counters;
    this.#descriptors = options.descriptors;
    this.admission = options.admission;
    this.handshakes = new Handshakes(options.handshakes);
    this.ownPorts = () => [...options.ownPorts(), ...this.#settings.ownPorts ?? []];
    this.#wantsRequests = onRequest !== undefined;
    this.#settings = settings;
    this.#pressure = settings.pressure && new Pressure(settings.pressure);
    this.sources = new SourceRules(firewall);
    this.peekDeadlines = new Deadlines(options.peekTimeoutMs ?? PEEK_TIMEOUT_MS, clock);
    this.connectDeadlines = new ConnectDeadlines(settings.connectTimeoutMs);
    const idle = new Deadlines(settings.idleTimeoutMs, clock);
    const watch = new BrokenWatch(clock);
    this.#idleTimes = new DeadlinesByTime(clock);
    this.relayOptions = { idle, watch };
    this.#keptIdle = idle.keep();
    this.#kept = [this.peekDeadlines.keep(), watch.keep()];
    this.httpsPort = options.httpsPort;
    this.redirects = new RedirectService({
      clock,
      limits: () => new EngineLimits(this.#settings.l7?.limits).h1Downstream,
      idleTimeoutMs: () => this.#settings.idleTimeoutMs,
      pages: () => this.l7.pages,
    });
    const connect = connectWith(options.sockets);
    this.balancers = new Balancers({
      worker: options.worker,
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      random: Math.random,
      after(ms, fn) {
        const timer = setTimeout(fn, ms);
        return () => clearTimeout(timer);
      },
    });
    this.streams = new Streams({
      connect,
      lookup: this.lookup,
      deadline: (timeoutMs) =>
        timeoutMs === undefined
          ? this.connectDeadlines.signal()
          : this.#attemptDeadlines.signal(timeoutMs),
    });
    this.l7 = new L7Service({
      clock,
      connect,
      settings: this.#l7Settings(settings),
      requests,
      log: options.log,
      currentRoutes: options.currentRoutes,
      onRequest: (event) => onRequest?.(event),
      onHandshake: (seconds) => counters.observe("tls_handshake", seconds),
      handshakes: this.handshakes,
      lookup: this.lookup,
      descriptors: options.descriptors,
      balancers: this.balancers,
      pageOf: (file) => this.pages.get(file),
    });
  }

  /** For connecting to a backend of a route, however many are tried. */
  connectTimeoutOf({ connectTimeoutMs }: Route): number {
    return connectTimeoutMs ?? this.#settings.connectTimeoutMs;
  }

  /** Gives up whatever is being dialled, and whatever would be. */
  endDials(): void {
    this.connectDeadlines[Symbol.dispose]();
    this.#attemptDeadlines[Symbol.dispose]();
  }

  readonly lookup: Lookup = (host) => (this.#resolver?.lookup ?? systemLookup)(host);

  /** Whom to ask for names from now on. */
  setResolver(settings: ResolverSettings): void {
    if (this.#resolver !== undefined) return this.#resolver.update(settings);
    this.#resolver = new Resolver(settings, { descriptors: this.#descriptors });
  }

  /** Ends questions that nobody waits for any more. */
  closeResolver(): void {
    this.#resolver?.[Symbol.dispose]();
  }

  /** Timers run from now on only while there is something to look after. */
  restTimers(): void {
    this.#keptIdle();
    for (const release of this.#kept) release();
  }

  get pressure(): Pressure | undefined {
    return this.#pressure;
  }

  /** How streams of a route are relayed. */
  relayOptionsOf(route: Route | undefined): RelayOptions {
    const { idleTimeoutMs } = route ?? {};
    if (idleTimeoutMs === undefined) return this.relayOptions;
    return { ...this.relayOptions, idle: this.#idleTimes.of(idleTimeoutMs) };
  }

  /** Where a route's backend is. */
  targetOf(route: Route): Result<Endpoint> {
    let target = this.#targets.get(route);
    if (target === undefined) {
      this.#targets.set(route, target = parseBackendEndpoint(route.backend));
    }
    return target;
  }

  /** Streams that are relayed already keep the deadline they began with. */
  setSettings(settings: Settings): void {
    const { idleTimeoutMs, connectTimeoutMs } = this.#settings;
    if (settings.idleTimeoutMs !== idleTimeoutMs) {
      const idle = new Deadlines(settings.idleTimeoutMs, this.clock);
      this.relayOptions = { ...this.relayOptions, idle };
      this.#keptIdle();
      this.#keptIdle = idle.keep();
    }
    if (settings.connectTimeoutMs !== connectTimeoutMs) {
      this.connectDeadlines = new ConnectDeadlines(settings.connectTimeoutMs);
    }
    this.#settings = settings;
    this.#pressure = settings.pressure && new Pressure(settings.pressure);
    this.l7.configure(this.#l7Settings(settings));
  }

  setTls(set: readonly TlsMaterial[], remove: readonly string[]): void {
    for (const id of remove) this.tls.delete(id);
    for (const material of set) this.tls.set(material.id, material);
    this.l7.routesChanged();
  }

  setPages(set: readonly PageContent[], remove: readonly string[]): void {
    for (const file of remove) this.pages.delete(file);
    for (const { file, octets } of set) this.pages.set(file, octets);
    this.l7.pagesChanged();
  }

  #l7Settings({ connectTimeoutMs, idleTimeoutMs, l7 }: Settings): L7Settings {
    return {
      connectTimeoutMs,
      idleTimeoutMs,
      h2Transport: l7?.h2Transport ?? "own",
      accessLog: this.#wantsRequests && (l7?.accessLog ?? true),
      refusedRequests: this.#wantsRequests && (l7?.refusedRequests ?? false),
      ...l7?.fields && { fields: l7.fields },
      ...l7?.limits && { limits: l7.limits },
      ...l7?.errorPages && { errorPages: l7.errorPages },
    };
  }
}
