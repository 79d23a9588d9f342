import { durationFromMs, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ForgetFleetMemberResponseSchema,
  ListFleetResponseSchema,
  type WaitForFleetResponse,
  WaitForFleetResponseSchema,
} from "../admin/gen/mod.ts";
import { EXIT, formatTime } from "../terminal/mod.ts";
import { count, type Session } from "./session.ts";

/** After so long without a word a proxy is said to be silent; each says something every second. */
const SILENT_MS = 5_000;
/** What the proxy takes, and what is left of the time to answer. */
const MAX_WAIT_MS = 50_000;
const ANSWER_MS = 1_000;

/** `fleet list`: who there is. */
export async function listFleet(session: Session): Promise<void> {
  const found = await session.client.listFleet({});
  session.answer(ListFleetResponseSchema, found, ({ group, revision, members }) => [
    `group ${group}, revision ${revision}`,
    ...session.table(members, [
      { title: "NAME", value: ({ name }) => name },
      { title: "VERSION", value: ({ version }) => version },
      { title: "REVISION", value: ({ revision }) => String(revision) },
      { title: "LAG", value: ({ lag }) => String(lag) },
      {
        title: "HEALTH",
        value: ({ health, silentFor }) => {
          const silentMs = silentFor === undefined ? 0 : durationMs(silentFor);
          if (silentMs < SILENT_MS) return health || "serving";
          return `silent for ${Math.round(silentMs / 1000)} s`;
        },
      },
      {
        title: "SINCE",
        value: ({ startedAt }) =>
          startedAt === undefined ? "—" : formatTime(timestampMs(startedAt)),
      },
    ], "no proxy has reported"),
  ]);
}

/** `fleet wait`: until what is in effect here is so at others. */
export async function waitForFleet(session: Session, wait: string): Promise<number> {
  const found = await waited(session, { revision: 0n, wait });
  session.answer(WaitForFleetResponseSchema, found, (it) => waitedWords(it));
  return found.reached ? EXIT.ok : EXIT.failed;
}

/** `--wait`: until a change is in effect at others. Says so beside the answer to the change. */
export async function waitForChange(
  session: Session,
  { revision, wait }: { readonly revision: bigint; readonly wait: string },
): Promise<number> {
  const found = await waited(session, { revision, wait });
  for (const line of waitedWords(found)) session.note(line);
  return found.reached ? EXIT.ok : EXIT.failed;
}

/** `fleet forget`: one less. */
export async function forgetMember(session: Session, name: string): Promise<void> {
  const done = await session.client.forgetFleetMember({ name });
  session.answer(
    ForgetFleetMemberResponseSchema,
    done,
    () => [`${name} is not waited for any more`],
  );
}

function waited(
  { client, options: { timeout } }: Session,
  { revision, wait }: { readonly revision: bigint; readonly wait: string },
): Promise<WaitForFleetResponse> {
  const deadlineMs = Math.min(MAX_WAIT_MS, Math.max(0, timeout - ANSWER_MS));
  return client.waitForFleet({ revision, wait, deadline: durationFromMs(deadlineMs) });
}

function waitedWords({ revision, inEffect, missing }: WaitForFleetResponse): string[] {
  const there = `revision ${revision} is in effect at ${inEffect.join(", ") || "no proxy"}`;
  if (missing.length === 0) return [there];
  return [`${there}; not yet at ${count(missing.length, "other")}: ${missing.join(", ")}`];
}
