import type { FleetMember, ListFleetResponse } from "../admin/gen/mod.ts";
import { formatBytes } from "../terminal/mod.ts";
import { healthWords } from "./fleet_words.ts";
import type { Session } from "./session.ts";

type Status = NonNullable<FleetMember["status"]>;

/** What all proxies of a group do, and the sums of it. */
export function statusLines(
  session: Session,
  { group, revision, members }: ListFleetResponse,
): string[] {
  const known = members.filter(({ status }) => status !== undefined);
  const sum = (value: (status: Status) => bigint) =>
    known.reduce((total, { status }) => total + (status === undefined ? 0n : value(status)), 0n);
  const number = (
    title: string,
    value: (status: Status) => bigint,
    show: (value: bigint) => string = String,
  ) => ({
    title,
    value: ({ name, status }: FleetMember) =>
      name === "" ? show(sum(value)) : status === undefined ? "—" : show(value(status)),
  });
  const bytes = (octets: bigint) => formatBytes(octets);
  const total = { name: "" } as FleetMember;
  return [
    `group ${group}, revision ${revision}`,
    ...session.table(members.length === 0 ? [] : [...members, total], [
      { title: "NAME", value: ({ name }) => name || "all" },
      { title: "HEALTH", value: (it) => it.name === "" ? "" : healthWords(it) },
      number("OPEN", ({ open }) => open),
      number("ACCEPTED", ({ accepted }) => accepted),
      number("BLOCKED", ({ blocked }) => blocked),
      number("LIMITED", ({ rateLimited }) => rateLimited),
      number("IN", ({ bytesIn }) => bytesIn, bytes),
      number("OUT", ({ bytesOut }) => bytesOut, bytes),
      {
        title: "ROUTES",
        value: ({ name, status }) => name === "" ? "" : status ? String(status.routes) : "—",
      },
      {
        title: "BANS",
        value: ({ name, status }) => name === "" ? "" : status ? String(status.bans) : "—",
      },
      {
        title: "BACKENDS",
        value: ({ name, status }) => name === "" ? "" : backendWords(status),
      },
    ], "no proxy has reported"),
    ...sickLines(known),
  ];
}

function backendWords(status: Status | undefined): string {
  if (status === undefined) return "—";
  const words = Object.entries(status.backends).map(([condition, count]) =>
    `${count} ${condition}`
  );
  return words.join(", ") || "none looked after";
}

/** Each backend once, with those that find it so. */
function sickLines(members: readonly FleetMember[]): string[] {
  const found = new Map<string, string[]>();
  for (const { name, status } of members) {
    for (const { route, backend, condition, reason } of status?.sick ?? []) {
      const words = `the backend ${backend} of ${route} is ${condition}`;
      const at = reason === "" ? name : `${name} (${reason})`;
      found.set(words, [...found.get(words) ?? [], at]);
    }
  }
  return [...found].map(([words, at]) => `${words} at ${at.join(", ")}`);
}
