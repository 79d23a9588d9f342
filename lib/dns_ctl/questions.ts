import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { mcns } from "../admin/gen/mod.ts";
import { EXIT, formatTime } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

const VERDICTS: Readonly<Record<string, string>> = {
  answer: "is answered",
  "no_data": "is there, without such records (NODATA)",
  "no_name": "is not there (NXDOMAIN)",
  delegation: "is referred to other servers",
  expired: "fails: its zone has expired (SERVFAIL)",
  "not_authoritative": "is in no zone of this server",
};

export async function explain(
  session: Session,
  question: { readonly name: string; readonly type: string; readonly from: string },
): Promise<void> {
  const found = await session.client.explain(question);
  session.answer(mcns.ExplainResponseSchema, found, ({ verdict, steps, records, recursion }) => [
    `${question.name} ${question.type} ${VERDICTS[verdict] ?? verdict}`,
    ...steps.map((step) => `  ${step}`),
    ...records,
    ...recursion === "" ? [] : [recursion],
  ]);
}

/** `status`: fails when the server is not healthy. */
export async function showStatus(session: Session): Promise<number> {
  const found = await session.client.getStatus({});
  session.answer(mcns.GetStatusResponseSchema, found, (status) => [
    `mcns ${status.version}: ${status.problem === "" ? "healthy" : status.problem}`,
    `${status.zones} zones, ${status.records} records, revision ${status.revision}`,
  ]);
  return found.problem === "" ? EXIT.ok : EXIT.failed;
}

/** `reload`: all of the configuration, or nothing of it. */
export async function reloadServer(session: Session): Promise<void> {
  const done = await session.client.reload({});
  session.answer(mcns.ReloadResponseSchema, done, ({ warnings }) => ["reloaded", ...warnings]);
}

export async function showAudit(
  session: Session,
  { limit, before }: { readonly limit: number; readonly before?: bigint },
): Promise<void> {
  const found = await session.client.listAudit({ limit, ...before !== undefined && { before } });
  session.answer(mcns.ListAuditResponseSchema, found, ({ entries }) =>
    session.table(entries, [
      { title: "ID", value: ({ id }) => `${id}`, right: true },
      {
        title: "TIME",
        value: ({ time }) => time === undefined ? "" : formatTime(timestampMs(time)),
      },
      { title: "WHO", value: ({ actor }) => actor },
      { title: "WHAT", value: ({ action }) => action },
      { title: "SUBJECT", value: ({ subject }) => subject },
      { title: "BEFORE", value: ({ before }) => before },
      { title: "AFTER", value: ({ after }) => after },
    ], "nothing was changed"));
}

export async function listTokens(session: Session): Promise<void> {
  const found = await session.client.listTokens({});
  session.answer(mcns.ListTokensResponseSchema, found, ({ tokens }) =>
    session.table(tokens, [
      { title: "NAME", value: ({ name }) => name },
      { title: "SCOPES", value: ({ scopes }) => scopes.join(" ") },
      { title: "MADE", value: ({ createdAt }) => timeOf(createdAt, "") },
      { title: "ENDS", value: ({ expiresAt }) => timeOf(expiresAt, "never") },
    ], "no tokens"));
}

export async function addToken(
  session: Session,
  name: string,
  scopes: readonly string[],
  { ttl }: { readonly ttl?: number },
): Promise<void> {
  const found = await session.client.createToken({
    ...{ name, scopes: [...scopes] },
    ...ttl !== undefined && { ttl: durationFromMs(ttl) },
  });
  session.answer(mcns.CreateTokenResponseSchema, found, ({ secret }) => [secret]);
  if (!session.json) session.note("it is not stored and cannot be shown again");
}

export async function removeToken(session: Session, name: string): Promise<void> {
  const done = await session.client.removeToken({ name });
  session.answer(mcns.RemoveTokenResponseSchema, done, () => [`removed the token ${name}`]);
}

export async function writeBack(session: Session): Promise<void> {
  const done = await session.client.writeBack({});
  session.answer(mcns.WriteBackResponseSchema, done, ({ aside }) => [
    `wrote the database back${aside === "" ? "" : `; what was in its place is ${aside}`}`,
  ]);
}

/** `values`: what there is now, one a line, for completions. */
export async function listValues(session: Session, kind: string): Promise<void> {
  if (kind !== "zones") return;
  const { zones } = await session.client.listZones({});
  session.print(...zones.map(({ name }) => name));
}

function timeOf(time: mcns.Token["createdAt"], otherwise: string): string {
  return time === undefined ? otherwise : formatTime(timestampMs(time));
}
