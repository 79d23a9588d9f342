/**
 * What changes per second, from two looks at the proxy.
 *
 * @module
 */
import type { RouteStatus, Status, WatchStatusResponse } from "../client/mod.ts";
import { durationMs } from "@bufbuild/protobuf/wkt";

/** One look and the one before it, from which rates are taken. */
export interface TopView {
  readonly now: WatchStatusResponse;
  readonly before: WatchStatusResponse | undefined;
}

/** What changes per second in a row. */
export interface Rated<T> {
  readonly now: T;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export type RatedListener = Rated<Status["listeners"][number]>;

export type RatedRule = { type: string; value: string; hits: bigint; rate: number; reason: string };

/** What routes can be ordered by; open connections decide between equals. */
const ROUTE_ORDERS = {
  traffic: ({ bytesIn, bytesOut }: Rated<RouteStatus>) => bytesIn + bytesOut,
  open: ({ now }: Rated<RouteStatus>) => now.activeConnections,
  new: ({ connections }: Rated<RouteStatus>) => connections,
} as const;

/** What routes are ordered by. */
export type RouteOrder = keyof typeof ROUTE_ORDERS;

/** The orders of routes, one after the other. */
export function nextRouteOrder(order: RouteOrder): RouteOrder {
  const orders = Object.keys(ROUTE_ORDERS) as RouteOrder[];
  return orders[(orders.indexOf(order) + 1) % orders.length] ?? order;
}

export function ratedListeners({ now, before }: TopView, seconds: number): RatedListener[] {
  const old = new Map(before?.status?.listeners.map((listener) => [listener.addr, listener]));
  return (now.status?.listeners ?? []).map((listener) => {
    const was = old.get(listener.addr);
    return rated(listener, was, seconds, before !== undefined);
  });
}

export function ratedRoutes(
  { now, before }: TopView,
  seconds: number,
  by: RouteOrder,
): Rated<RouteStatus>[] {
  const order = ROUTE_ORDERS[by];
  const key = ({ listenerAddr, hostname }: RouteStatus) => `${listenerAddr} ${hostname}`;
  const old = new Map(before?.routes.map((route) => [key(route), route]));
  return now.routes
    .map((route) => rated(route, old.get(key(route)), seconds, before !== undefined))
    .sort((a, b) => order(b) - order(a) || b.now.activeConnections - a.now.activeConnections);
}

export function ratedRules({ now, before }: TopView, seconds: number): RatedRule[] {
  const old = new Map(before?.status?.firewall?.topRules.map(({ id, hits }) => [id, hits]));
  return (now.status?.firewall?.topRules ?? []).map(({ id, type, value, hits, reason }) => {
    return { type, value, hits, reason, rate: perSecond(hits, old.get(id), seconds) };
  });
}

function rated<T extends { totalConnections: bigint; bytesIn: bigint; bytesOut: bigint }>(
  now: T,
  before: T | undefined,
  seconds: number,
  hasBefore: boolean,
): Rated<T> {
  // A row that was not among the busiest before has no rate yet.
  const was = before ?? (hasBefore ? now : undefined);
  return {
    now,
    connections: perSecond(now.totalConnections, was?.totalConnections, seconds),
    bytesIn: perSecond(now.bytesIn, was?.bytesIn, seconds),
    bytesOut: perSecond(now.bytesOut, was?.bytesOut, seconds),
  };
}

/** Never negative: a worker that was replaced counts from zero. */
export function perSecond(
  now: bigint | undefined,
  before: bigint | undefined,
  seconds: number,
): number {
  if (now === undefined || before === undefined || seconds <= 0) return 0;
  return Math.max(0, Number(now - before)) / seconds;
}

export function secondsBetween(before: Status | undefined, now: Status): number {
  if (before?.uptime === undefined || now.uptime === undefined) return 0;
  return (durationMs(now.uptime) - durationMs(before.uptime)) / 1000;
}
