import { type BackendCell, type BackendState, type Condition, stateOf } from "../balance/mod.ts";
import type { LogRecord } from "../observe/mod.ts";
import type { Backend } from "../state/mod.ts";
import type { WatchedRoute } from "./watched_backends.ts";

/** So many sick backends are told one by one. */
const MAX_WARNINGS = 20;

/** A backend of a route, or of one of its paths, and how it is. */
export interface BackendStatus extends BackendState {
  /** The listener's address as configured. */
  readonly listener: string;
  readonly listenerId: number;
  /** The hostname of the route. */
  readonly route: string;
  /** What the path is called; empty: it is the route's own. */
  readonly path: string;
  readonly backend: Backend;
  /** No route has it any more, and it has connections left. */
  readonly isRemoved: boolean;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What is kept of a backend that is looked after. */
export interface Watched {
  readonly cell: BackendCell;
  readonly backend: Backend;
  readonly watched: WatchedRoute;
  readonly isRemoved: boolean;
  /** Since when it is in the condition that the log has told of. */
  readonly since: number;
}

/** How a backend is; `why` its checks fail, as far as that is known. */
export function statusOf(
  { cell, backend, watched: { listener, route }, isRemoved, since }: Watched,
  { now, why }: { readonly now: number; readonly why: string },
): BackendStatus {
  const state = stateOf(isRemoved ? { ...backend, state: "drain" } : backend, cell, now);
  return {
    ...state,
    ...state.condition === "failing" && why !== "" && { reason: why },
    ...isRemoved && { reason: "removed; its last connections have not ended" },
    listener: listener.addr,
    listenerId: listener.id,
    route: route.hostname,
    path: route.pathName ?? "",
    backend,
    isRemoved,
    since: state.condition === "out" && !isRemoved ? cell.outAt : since,
  };
}

/** Those that are not well first, then what an operator has taken out and what starts, then the rest. */
export function worstFirst(statuses: readonly BackendStatus[]): BackendStatus[] {
  const rank = ({ condition, isRemoved }: BackendStatus) =>
    !isRemoved && isSick(condition) ? 0 : condition === "up" ? 2 : 1;
  return statuses.toSorted((a, b) => rank(a) - rank(b));
}

/** Backends that are not well, one sentence each; what an operator wanted is no warning. */
export function warningsOf(statuses: readonly BackendStatus[]): string[] {
  const sick = statuses.filter(({ condition, isRemoved }) => !isRemoved && isSick(condition));
  const shown = sick.slice(0, MAX_WARNINGS).map(
    ({ backend, route, path, condition, reason, since }) => {
      const time = new Date(since).toISOString();
      const where = path === "" ? route : `${route} (${path})`;
      return `the backend ${backend.addr} of ${where} is ${condition} since ${time}: ${reason}`;
    },
  );
  const more = sick.length - shown.length;
  return more === 0 ? shown : [...shown, `${more} more backends are failing or out`];
}

/** What the log says of a backend that was in the condition `before`. */
export function changeEvent(status: BackendStatus, before: Condition): LogRecord {
  const { listener, route, path, backend, condition, reason, open, since } = status;
  return {
    level: isSick(condition) ? "warn" : "info",
    message: `backend is ${WORDS[condition]}`,
    fields: {
      listener,
      route,
      ...path !== "" && { path },
      backend: backend.addr,
      state: condition,
      since: new Date(since).toISOString(),
      before,
      ...reason !== "" && { reason },
      open,
    },
  };
}

const WORDS: Readonly<Record<Condition, string>> = {
  up: "up",
  starting: "back",
  failing: "failing",
  out: "out",
  drain: "draining",
  down: "down",
};

function isSick(condition: Condition): boolean {
  return condition === "failing" || condition === "out";
}
