import type { PublishedSet } from "../db/mod.ts";
import { nameFromText, rdataFromText, rdataToText, TYPE } from "../dns/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { Mode } from "../state/mod.ts";
import { zoneOf } from "./dns_alias.ts";

const HTTPS_PORT = 443;
/** What every l7 route speaks with clients. */
const ALPN = "h2,http/1.1";

/** What is to be made of routes. */
export interface RouteRecordsOptions {
  readonly zones: readonly string[];
  /** Where clients find this proxy. */
  readonly addresses: readonly string[];
  /** Seconds. */
  readonly ttl: number;
}

/** What listeners are to clients. */
export type RecordedListener = Pick<ListenerSnapshot, "port" | "kind"> & {
  readonly routes: readonly { readonly hostname: string; readonly mode: Mode }[];
};

/** Where a client of a name comes to first. */
interface Door {
  readonly port: number;
  readonly mode: Mode;
}

/**
 * The records that routes want, by zone and name: A and AAAA of each hostname in one of the zones, and
 * HTTPS where clients come to an l7 route first, which is at port 443 if any route of the name is there,
 * else at the lowest. A wildcard has none: it would answer for names that nobody has thought of, also
 * for those that other records are to come for.
 */
export function* routeRecords(
  listeners: readonly RecordedListener[],
  { zones, addresses, ttl }: RouteRecordsOptions,
): Steps<Map<string, PublishedSet[]>> {
  const isV6 = (ip: string) => ip.includes(":");
  const a = texts("A", addresses.filter((ip) => !isV6(ip)));
  const aaaa = texts("AAAA", addresses.filter(isV6));
  const wanted = new Map<string, PublishedSet[]>();
  for (const [hostname, door] of yield* doorsOf(listeners)) {
    yield;
    const zone = zoneOf(hostname, zones);
    if (zone === undefined) continue;
    const place = { zone, name: `${hostname}.`, ttl };
    const sets = [
      { ...place, type: "A", values: a },
      { ...place, type: "AAAA", values: aaaa },
      { ...place, type: "HTTPS", values: door.mode === "l7" ? [serviceOf(door)] : [] },
    ].filter(({ values }) => values.length > 0);
    wanted.set(placeKey(place), sets);
  }
  return wanted;
}

/** Tells names of zones apart. */
export function placeKey({ zone, name }: Pick<PublishedSet, "zone" | "name">): string {
  return `${zone} ${name}`;
}

function* doorsOf(listeners: readonly RecordedListener[]): Steps<Map<string, Door>> {
  const doors = new Map<string, Door>();
  for (const { kind, port, routes } of listeners) {
    if (kind === "redirect") continue;
    for (const { hostname, mode } of routes) {
      const there = doors.get(hostname);
      const isFirst = there === undefined || port === HTTPS_PORT ||
        (there.port !== HTTPS_PORT && port < there.port);
      if (isFirst && !hostname.startsWith("*")) doors.set(hostname, { port, mode });
      yield;
    }
  }
  return doors;
}

/** As the name server writes it. */
function serviceOf({ port }: Door): string {
  return `1 . alpn="${ALPN}"${port === HTTPS_PORT ? "" : ` port=${port}`}`;
}

/** As the name server writes them, in one order, so that they can be compared. */
function texts(type: "A" | "AAAA", values: readonly string[]): string[] {
  const origin = nameFromText(".");
  if (!origin.ok) throw new TypeError(origin.reason);
  return [...new Set(values)].map((value) => {
    const data = rdataFromText(TYPE[type], [value], { origin: origin.value });
    if (!data.ok) throw new TypeError(`${type} ${value}: ${data.reason}`);
    return rdataToText(TYPE[type], data.value);
  }).toSorted();
}

/** What is known of one name. */
export interface NameView {
  /** What the routes want; none: no route has the name any more. */
  readonly wanted: readonly PublishedSet[];
  /** What we have made. */
  readonly ours: readonly PublishedSet[];
  /** What the name server has of a type that is wanted or ours. */
  readonly found: (type: string) => Pick<PublishedSet, "ttl" | "values">;
}

/** What is to be done about one name. */
export interface NameChange {
  /** Sets to write; without values: to remove. */
  readonly write: readonly PublishedSet[];
  /** What is ours when that is done. */
  readonly keep: readonly PublishedSet[];
  /** The types that are somebody else's and say something else. */
  readonly foreign: readonly string[];
}

/**
 * Compares what routes want with what is there. What is there and not as we made it is somebody else's
 * and stays; where that is an address, nothing of ours is put beside it, since it would be about
 * another machine.
 */
export function nameChange({ wanted, ours, found }: NameView): NameChange {
  const made = new Map(ours.map((set) => [set.type, set]));
  const isOurs = (type: string) => {
    const { values } = found(type);
    const own = made.get(type);
    return values.length === 0 || (own !== undefined && isSame(own, found(type)));
  };
  const foreign = wanted.filter((set) => !isOurs(set.type) && !hasValues(set, found(set.type)))
    .map(({ type }) => type);
  const isElsewhere = foreign.some((type) => type !== "HTTPS");
  const keep = isElsewhere ? [] : wanted.filter(({ type }) => isOurs(type));
  const kept = new Set(keep.map(({ type }) => type));
  const gone = ours.filter(({ type }) => {
    return !kept.has(type) && isOurs(type) && found(type).values.length > 0;
  });
  return {
    write: [
      ...keep.filter((set) => !isSame(set, found(set.type))),
      ...gone.map((set) => ({ ...set, values: [] })),
    ],
    keep,
    foreign,
  };
}

type Data = Pick<PublishedSet, "ttl" | "values">;

function isSame(a: Data, b: Data): boolean {
  return a.ttl === b.ttl && hasValues(a, b);
}

function hasValues(a: Data, b: Data): boolean {
  return JSON.stringify(a.values.toSorted()) === JSON.stringify(b.values.toSorted());
}
