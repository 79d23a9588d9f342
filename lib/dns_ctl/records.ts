import { mcns } from "../admin/gen/mod.ts";
import { doneWords, type Session } from "./session.ts";

/** Records that are asked for at one time. */
const PAGE = 10_000;

/** A record as the command line has it. */
export interface RecordArguments {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

export async function listRecords(
  session: Session,
  zone: string,
  { name = "", type = "" }: { readonly name?: string; readonly type?: string },
): Promise<void> {
  const records: mcns.Record[] = [];
  let after = 0n;
  for (;;) {
    const page = await session.client.listRecords({ zone, name, type, after, limit: PAGE });
    records.push(...page.records);
    after = page.next;
    if (after !== 0n) continue;
    const all = { ...page, records };
    session.answer(mcns.ListRecordsResponseSchema, all, () => recordLines(session, records));
    return;
  }
}

export async function addRecord(
  session: Session,
  { zone, ...record }: RecordArguments,
  flags: { readonly ttl?: number },
): Promise<void> {
  const added = await session.client.addRecord({ zone, record: { ...record, ...flags } });
  session.answer(mcns.AddRecordResponseSchema, added, ({ record, done }) => [
    `added record ${record?.id}: ${words(record)}; ${doneWords(done)}`,
  ]);
}

export async function replaceRecord(
  session: Session,
  id: bigint,
  { zone, ...record }: RecordArguments,
  flags: { readonly ttl?: number },
): Promise<void> {
  const found = await session.client.replaceRecord({ zone, id, record: { ...record, ...flags } });
  session.answer(mcns.ReplaceRecordResponseSchema, found, ({ record, done }) => [
    `record ${record?.id} is ${words(record)}; ${doneWords(done)}`,
  ]);
}

export async function removeRecord(session: Session, zone: string, id: bigint): Promise<void> {
  const done = await session.client.removeRecord({ zone, id });
  session.answer(mcns.RemoveRecordResponseSchema, done, ({ done }) => [
    `removed record ${id}; ${doneWords(done)}`,
  ]);
}

export async function replaceSet(
  session: Session,
  { zone, name, type }: Omit<RecordArguments, "value">,
  values: readonly string[],
  flags: { readonly ttl?: number },
): Promise<void> {
  const set = { zone, name, type, values: [...values], ...flags };
  const found = await session.client.replaceSet(set);
  session.answer(mcns.ReplaceSetResponseSchema, found, ({ records, done }) => [
    ...recordLines(session, records),
    doneWords(done),
  ]);
}

export async function removeSet(
  session: Session,
  set: Omit<RecordArguments, "value">,
): Promise<void> {
  const done = await session.client.removeSet(set);
  session.answer(mcns.RemoveSetResponseSchema, done, ({ done }) => [
    `removed ${set.name} ${set.type}; ${doneWords(done)}`,
  ]);
}

function recordLines(session: Session, records: readonly mcns.Record[]): readonly string[] {
  return session.table(records, [
    { title: "ID", value: ({ id }) => `${id}`, right: true },
    { title: "NAME", value: ({ name }) => name },
    { title: "TTL", value: ({ ttl }) => `${ttl}`, right: true },
    { title: "TYPE", value: ({ type }) => type },
    { title: "VALUE", value: ({ value }) => value },
  ], "no records");
}

function words(record: mcns.Record | undefined): string {
  return `${record?.name} ${record?.ttl} ${record?.type} ${record?.value}`;
}
