import { columnName, columnType } from "../schema/mod.ts";
import type { Migration, ProgramSchema } from "../sqlite/mod.ts";
import { LISTENER, POLICY, ROUTE, RULE } from "../state/mod.ts";
import { STATE_TABLES, STATISTICS } from "./tables.ts";
import { WRITTEN } from "./written_migrations.ts";

/** The tables of records, whose fields may bring columns of their own. */
const TABLES = [["listeners", LISTENER], ["routes", ROUTE], ["firewall_rules", RULE], [
  "l7_policies",
  POLICY,
]] as const;

/** In order, without gaps from 1. */
export const MIGRATIONS: readonly Migration[] = withColumns(WRITTEN);

/**
 * Adds the columns of fields that came with a version, or after the last one that is written down.
 * Their text depends on nothing but table, name and type, so that it stays what it was; without a
 * value they are NULL, which means that the field is absent.
 */
function withColumns(written: readonly Migration[]): readonly Migration[] {
  const columns = TABLES.flatMap(([table, { shape }]) =>
    [...shape.fields.values()].filter(({ since }) => since !== undefined).map((field) => ({
      since: field.since ?? 0,
      statement: `ALTER TABLE ${table} ADD COLUMN ${columnName(field.key)} ${columnType(field)}`,
    }))
  );
  const latest = Math.max(written.length, ...columns.map(({ since }) => since));
  return Array.from({ length: latest }, (_, i) => {
    const version = i + 1;
    const added = columns.filter(({ since }) => since === version).map((it) => it.statement);
    return { version, statements: [...written[i]?.statements ?? [], ...added] };
  });
}

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** What lib/sqlite has to know of this program's database. */
export const SCHEMA: ProgramSchema = {
  commands: { restore: "mc-proxy restore", writeBack: "mcproxyctl write-back" },
  migrations: MIGRATIONS,
  stateTables: STATE_TABLES,
  statistics: STATISTICS,
};
