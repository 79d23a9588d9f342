import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { mcns } from "../admin/gen/mod.ts";
import { formatTime, UsageError } from "../terminal/mod.ts";
import { doneWords, type Session } from "./session.ts";

export async function listZones(session: Session): Promise<void> {
  const found = await session.client.listZones({});
  session.answer(mcns.ListZonesResponseSchema, found, ({ zones }) =>
    session.table(zones, [
      { title: "ZONE", value: ({ name }) => name },
      { title: "SERIAL", value: ({ serial }) => `${serial}`, right: true },
      { title: "RECORDS", value: ({ records }) => `${records}`, right: true },
      { title: "VERSION", value: ({ version }) => version },
      { title: "PRIMARY", value: ({ secondary }) => primaryWords(secondary) },
      { title: "REFRESHED", value: ({ secondary }) => timeWords(secondary?.refreshedAt) },
      { title: "EXPIRES", value: ({ secondary }) => timeWords(secondary?.expiresAt) },
      {
        title: "PROBLEM",
        value: ({ problem, secondary }) => problem || secondary?.lastError || "",
      },
    ], "no zones"));
}

/** Who last vouched for a zone, or who is asked first; empty: it is our own. */
function primaryWords(secondary: mcns.Secondary | undefined): string {
  return secondary === undefined ? "" : secondary.primary || (secondary.primaries[0] ?? "");
}

function timeWords(time: Timestamp | undefined): string {
  return time === undefined ? "" : formatTime(timestampMs(time));
}

/** `zones refresh`: a secondary zone as its primary has it now. */
export async function refreshZone(
  session: Session,
  zone: string,
  { whole }: { readonly whole: boolean },
): Promise<void> {
  const found = await session.client.refreshZone({ zone, whole });
  session.answer(mcns.RefreshZoneResponseSchema, found, ({ zone: own }) => {
    return [`the zone ${zone} is at serial ${own?.serial}, from ${primaryWords(own?.secondary)}`];
  });
}

export async function addZone(
  session: Session,
  zone: string,
  nameServers: readonly string[],
  flags: { readonly mailbox?: string; readonly ttl?: number },
): Promise<void> {
  const done = await session.client.createZone({ zone, nameServers: [...nameServers], ...flags });
  session.answer(mcns.CreateZoneResponseSchema, done, ({ done }) => {
    return [`added the zone ${zone}: ${doneWords(done)}`];
  });
}

export async function removeZone(session: Session, zone: string): Promise<void> {
  const done = await session.client.removeZone({ zone });
  session.answer(mcns.RemoveZoneResponseSchema, done, () => [`removed the zone ${zone}`]);
}

/** `import`: replaces a zone by a file, or by what comes in. */
export async function importZone(session: Session, zone: string, path: string): Promise<void> {
  const done = await session.client.importZone({ zone, file: await readFile(path) });
  session.answer(mcns.ImportZoneResponseSchema, done, importWords(zone));
}

/** What an import did, in words. */
export function importWords(zone: string) {
  return ({ records, added, removed, changed, created, done }: mcns.ImportZoneResponse) => [
    `${created ? "made" : "imported"} the zone ${zone}: ${records} records ` +
    `(${added} added, ${removed} removed, ${changed} changed), ${doneWords(done)}`,
  ];
}

export async function exportZone(session: Session, zone: string): Promise<void> {
  for await (const { lines } of session.client.exportZone({ zone })) session.raw(lines);
}

async function readFile(path: string): Promise<Uint8Array> {
  if (path === "-") {
    return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  }
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: give it as the standard input`, { cause: error });
  }
}
