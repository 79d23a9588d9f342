import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  DrainFleetMemberResponseSchema,
  ForgetFleetMemberResponseSchema,
  ListFleetResponseSchema,
  UndrainFleetMemberResponseSchema,
  type WaitForFleetResponse,
  WaitForFleetResponseSchema,
} from "../admin/gen/mod.ts";
import { EXIT, formatTime } from "../terminal/mod.ts";
import { statusLines } from "./fleet_status.ts";
import { healthWords, isDrained } from "./fleet_words.ts";
import { count, type Session } from "./session.ts";

/** How often it is looked whether a proxy is drained. */
const LOOK_MS = 250;
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
      { title: "HEALTH", value: (member) => healthWords(member) },
      { title: "OPEN", value: ({ status }) => status === undefined ? "—" : String(status.open) },
      {
        title: "SINCE",
        value: ({ startedAt }) =>
          startedAt === undefined ? "—" : formatTime(timestampMs(startedAt)),
      },
    ], "no proxy has reported"),
  ]);
}

/** `fleet status`: what all of them do. */
export async function showFleetStatus(session: Session): Promise<void> {
  const found = await session.client.listFleet({});
  session.answer(ListFleetResponseSchema, found, (it) => statusLines(session, it));
}

/** `fleet drain`: 1 if its last connection has not ended in time, where that is waited for. */
export async function drainMember(
  session: Session,
  name: string,
  { within }: { readonly within?: number },
): Promise<number> {
  const done = await session.client.drainFleetMember({ name });
  const isNew = done.revision !== 0n;
  session.answer(DrainFleetMemberResponseSchema, done, () => [
    isNew ? `${name} is to be drained` : `${name} was to be drained already`,
  ]);
  if (within === undefined) return EXIT.ok;
  const until = performance.now() + within;
  for (;;) {
    const { members } = await session.client.listFleet({});
    const member = members.find((it) => it.name === name);
    const isOver = performance.now() >= until;
    if (isDrained(member) || isOver) {
      session.note(`${name}: ${member === undefined ? "gone" : healthWords(member)}`);
      return isDrained(member) ? EXIT.ok : EXIT.failed;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** `fleet undrain`: it serves again. */
export async function undrainMember(session: Session, name: string): Promise<void> {
  const done = await session.client.undrainFleetMember({ name });
  session.answer(UndrainFleetMemberResponseSchema, done, ({ revision }) => [
    revision === 0n ? `${name} was not to be drained` : `${name} is to serve again`,
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
