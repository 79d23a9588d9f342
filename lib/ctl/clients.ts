import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Hitter, type HitterGroup, ListHeaviestResponseSchema } from "../admin/gen/mod.ts";
import { formatBytes, formatCount, formatExactDuration } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** What the flags of `clients` say. */
export interface ClientsFlags {
  readonly by: string;
  readonly last: number;
  readonly group?: string;
  readonly limit: number;
}

const TITLES: Readonly<Record<string, string>> = {
  client: "CLIENT",
  network: "NETWORK",
  name: "NAME",
  country: "COUNTRY",
};

/** `clients`: who is heavy, in a table for each group. */
export async function listHeaviest(session: Session, flags: ClientsFlags): Promise<void> {
  const { by, last, group = "", limit } = flags;
  const found = await session.client.listHeaviest({
    group,
    by,
    last: durationFromMs(last),
    limit,
  });
  session.answer(ListHeaviestResponseSchema, found, ({ groups }) => [
    `by ${by}, last ${formatExactDuration(last)}`,
    ...groups.flatMap((it) => ["", ...groupLines(it, by, session)]),
  ]);
}

function groupLines({ group, hitters, total }: HitterGroup, by: string, session: Session) {
  const shown = by === "bytes" ? formatBytes : formatCount;
  const title = TITLES[group] ?? group.toUpperCase();
  const isPlaced = hitters.some(({ country }) => country !== "");
  return session.table(hitters, [
    { title, value: ({ key }) => key },
    ...isPlaced ? [{ title: "FROM", value: ({ country }: Hitter) => country || "—" }] : [],
    { title: "CONNECTIONS", value: (it) => formatCount(it.connections), right: true },
    { title: "REFUSED", value: (it) => formatCount(it.refused), right: true },
    { title: "BYTES", value: (it) => formatBytes(it.bytes), right: true },
    { title: "SHARE", value: (it) => shareOf(it, by, total), right: true },
    // In a flood of many the sketch only knows bounds.
    ...hitters.some(({ uncertainty }) => uncertainty > 0n)
      ? [{ title: "MAYBE", value: (it: Hitter) => `+${shown(it.uncertainty)}`, right: true }]
      : [],
  ], `no ${group === "country" ? "countries" : `${group}s`} were counted`);
}

function shareOf({ connections, refused, bytes }: Hitter, by: string, total: bigint): string {
  const own = by === "bytes" ? bytes : by === "refused" ? refused : connections;
  return total === 0n ? "—" : `${Math.round(100 * Number(own) / Number(total))} %`;
}
