import type { IpAddress } from "../addr/mod.ts";
import { ErrorCode, type RequestHead, WindowBudget } from "../h2/mod.ts";
import type { BackendOutcome, RequestCounts, RequestEvent } from "../observe/mod.ts";
import type { Deadlines } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import type { FieldRules } from "./field_rules.ts";
import type { HttpLimits } from "./http_limits.ts";
import { hostOfAuthority } from "./authority.ts";
import type { Pages } from "./error_pages.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeOwner } from "./exchange_owner.ts";
import type { BackendUse, ExchangeRecord } from "./exchange_record.ts";
import type { L7Connection } from "./l7_connection.ts";
import type { BackendConnection, DownstreamStream } from "./message.ts";
import { requestEvent } from "./request_event.ts";
import type { ClientFacts } from "./request_fields.ts";
import { checkShape } from "./request_shape.ts";
import type { MessageRules } from "./message_rules.ts";
import type { RoutePlan } from "./route_plan.ts";
import type { Answer } from "./answer.ts";
import { meetSteps } from "./step.ts";

/**
 * What the windows of all responses to one client may grow by, beyond the 64 KiB that each begins
 * with. That is what a client that does not read can make us hold, for each of its 100 streams.
 */
const WINDOW_OCTETS = 1024 * 1024;

/** What a client needs of the service. */
export interface DownstreamServices {
  readonly idle: Deadlines;
  /** Of the duration that a route has of its own. */
  readonly idleOf: (durationMs: number) => Deadlines;
  readonly now: () => number;
  /** The way to a route's backend. */
  readonly upstreamFor: (route: Route) => Upstream<BackendConnection>;
  readonly planFor: (route: Route) => RoutePlan;
  readonly rules: FieldRules;
  readonly limits: HttpLimits;
  readonly requests: Pick<RequestCounts, "record">;
  /** Absent: nobody wants an access log. */
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  /** Whether it wants nothing but requests that a policy has refused. */
  readonly onlyRefused?: boolean;
  /** A step of a request has thrown. */
  readonly onCrash: (request: string, error: unknown) => void;
}

/** What the codec of a connection (HTTP/2 or HTTP/1.1) does for its client. */
export interface DownstreamCodec {
  /** No more requests; ends when those that are open have been answered. */
  shutdown(): void;
  /** Looks after deadlines; about once a second. */
  tick(now: number, idleMs: number): void;
  /** Octets from the client and to it, of heads, frames and content. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** One connection of a client whose TLS was terminated, whatever HTTP it speaks. */
export class DownstreamConnection implements ExchangeOwner {
  readonly connection: L7Connection;
  readonly facts: ClientFacts;
  readonly rules: FieldRules;
  readonly limits: HttpLimits;
  readonly windows = new WindowBudget(WINDOW_OCTETS);
  readonly idle: Deadlines;
  readonly #services: DownstreamServices;
  /** Not a `Set`: see `Deadlines`. There are few at once, and one with HTTP/1.1. */
  readonly #exchanges: Exchange[] = [];
  /** Where connections were opened for it alone: those of routes with `send_proxy_protocol`. */
  readonly #own = new Set<Upstream<BackendConnection>>();
  /** Whose share of a backend its requests take. */
  readonly #share: string;
  #release: (() => void) | undefined;
  #requests = 0;
  /** The last authority that belonged to the route, and the route: usually the next one too. */
  #authority = "";
  #host: string | undefined;

  constructor(connection: L7Connection, services: DownstreamServices) {
    this.connection = connection;
    this.idle = services.idle;
    this.#services = services;
    this.rules = services.rules;
    this.limits = services.limits;
    // By the peer that speaks HTTP: who sent a PROXY header sits below TLS and cannot have written
    // anything in here.
    const trusted = services.rules.believes(connection.client.ip);
    this.facts = { ip: connection.clientIp, trusted };
    this.#share = shareOf(connection.client.ip);
  }

  idleFor(rules: MessageRules | undefined): Deadlines {
    const { idleTimeoutMs } = rules ?? {};
    return idleTimeoutMs === undefined ? this.idle : this.#services.idleOf(idleTimeoutMs);
  }

  /**
   * What is said of errors of whoever has not got to a route: in the words of the one that the SNI
   * selected. The fields that it sets are for its own requests.
   */
  get pages(): Pages | undefined {
    return this.#services.planFor(this.connection.currentRoute()).pages;
  }

  now(): number {
    return this.#services.now();
  }

  /** The connection has carried as many requests as it may: this was the last one. */
  get isSpent(): boolean {
    const { maxRequests } = this.limits;
    return maxRequests > 0 && this.#requests >= maxRequests;
  }

  /** Takes a request from the codec. */
  begin(downstream: DownstreamStream, request: {
    readonly head: RequestHead;
    readonly endStream: boolean;
    readonly protocol: RequestEvent["protocol"];
  }): Exchange {
    this.#release ??= this.idle.keep();
    const id = `${this.connection.id}-${(this.#requests++).toString(36)}`;
    const exchange = new Exchange(this, downstream, { ...request, id });
    this.#exchanges.push(exchange);
    return exchange;
  }

  /** Sends it on its way, or answers it. Called when its stream is ready to be written to. */
  route(exchange: Exchange): void {
    try {
      this.#route(exchange);
    } catch (error) {
      exchange.crash(error);
    }
  }

  #route(exchange: Exchange): void {
    const { head } = exchange;
    const route = this.#routeOf(head.authority);
    const plan = route && this.#services.planFor(route);
    exchange.route = route;
    exchange.rules = plan;
    const refusal = checkShape(head, this);
    if (refusal !== undefined) return exchange.refuse(refusal.status, refusal.reason);
    if (route === undefined || plan === undefined) {
      return exchange.refuse(421, "the host does not belong to the route of this connection");
    }
    const { steps } = plan;
    if (steps.length === 0) return this.#forward(exchange, route);
    const { connection, facts } = this;
    const met = meetSteps(steps, { exchange, connection, facts, share: this.#share });
    if (!(met instanceof Promise)) return this.#conclude(exchange, met);
    met.then((answer) => this.#conclude(exchange, answer)).catch((error) => exchange.crash(error));
  }

  /** A request has met every step, or one that answers it. */
  #conclude(exchange: Exchange, answer: Answer | undefined): void {
    if (answer !== undefined) return exchange.answer(answer);
    if (exchange.over || exchange.route === undefined) return;
    exchange.route = exchange.way ?? exchange.route;
    this.#forward(exchange, exchange.route);
  }

  #forward(exchange: Exchange, route: Route): void {
    const upstream = this.#services.upstreamFor(route);
    const affinity = route.sendProxyProtocol ? this : undefined;
    if (affinity !== undefined) this.#own.add(upstream);
    exchange.forward({ upstream, client: this.#share, affinity });
  }

  ended(exchange: ExchangeRecord): void {
    if (!this.#drop(exchange)) return;
    const { backendOutcome, route } = exchange;
    if (backendOutcome !== undefined && route !== undefined) {
      this.connection.onBackend?.(route, exchange.backend ?? route.backend, backendOutcome);
    }
    const { requests, onRequest, onlyRefused = false } = this.#services;
    requests.record({
      route: this.connection.route.hostname,
      status: exchange.status,
      protocol: exchange.protocol,
      durationMs: this.now() - exchange.startedAt,
    });
    if (exchange.policy !== undefined) this.connection.onRefused?.();
    if (onlyRefused && exchange.policy === undefined) return;
    onRequest?.(requestEvent(exchange, { connection: this.connection, now: this.now() }));
  }

  /** One of several backends did not serve a request that another one is asked for now. */
  failedOver({ route }: ExchangeRecord, backend: string, outcome: BackendOutcome): void {
    if (route !== undefined) this.connection.onBackend?.(route, backend, outcome);
  }

  crashed(exchange: ExchangeRecord, error: unknown): void {
    this.#services.onCrash(exchange.id, error);
    // It may have been cut short before it said so itself.
    this.#drop(exchange);
  }

  /** Whether a request that is open is at this backend. */
  usesBackend(backend: BackendUse): boolean {
    return this.#exchanges.some((exchange) => exchange.isAt(backend));
  }

  /** Ends the requests that are at this backend: who takes it out does not wait for them. */
  cutBackend(backend: BackendUse): void {
    for (const exchange of [...this.#exchanges]) {
      if (exchange.isAt(backend)) exchange.cutOff("the backend was taken out");
    }
  }

  /** The connection is gone: whatever is open ends, and so do connections opened for it alone. */
  close(reason: string): void {
    for (const exchange of [...this.#exchanges]) exchange.downstreamGone(ErrorCode.cancel, reason);
    for (const upstream of this.#own) upstream.forget(this);
    this.#own.clear();
    this.#release?.();
  }

  /** Whether it was open. */
  #drop(exchange: ExchangeRecord): boolean {
    const at = this.#exchanges.indexOf(exchange as Exchange);
    if (at < 0) return false;
    const last = this.#exchanges.pop() as Exchange;
    if (last !== exchange) this.#exchanges[at] = last;
    return true;
  }

  /**
   * The route of a request. It has to be the one that the SNI selected: a client that reuses its
   * connection for another name must not reach that name's backend past its route's own TLS and
   * rules (RFC 9110 §7.4). Looked up for each request, so that a changed route counts at once.
   */
  #routeOf(authority: string): Route | undefined {
    if (authority !== this.#authority) {
      this.#authority = authority;
      this.#host = hostOfAuthority(authority);
    }
    if (this.#host === undefined) return undefined;
    const route = this.connection.matchRoute(this.#host);
    const { hostname } = this.connection.route;
    return route?.hostname === hostname && route.mode === "l7" ? route : undefined;
  }
}

/** One client, as far as can be told: an address, of IPv6 the network that one gets (RFC 6177). */
function shareOf({ family, w0, w1, w3 }: IpAddress): string {
  return family === 4 ? String(w3) : `${w0}:${w1}`;
}
