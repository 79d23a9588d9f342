/**
 * Descriptions of values: what fields a record has, how each is written, checked, stored and shown.
 * Whatever reads or writes records walks over their description, so that a field is described once.
 * Knows nothing of what the fields mean. Pure.
 *
 * @module
 */
export { columnName, columnType, type ColumnValue, fromColumn, toColumn } from "./column.ts";
export { complete } from "./complete.ts";
export { type ParsedDocument, parseDocument } from "./document.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { formatKey, formatKeyPath, type KeyPath } from "./key_path.ts";
export {
  type AnyField,
  type Field,
  type Flag,
  type Form,
  isTable,
  type Kind,
  type Place,
  quote,
  type Raw,
  type RecordShape,
} from "./kind.ts";
export {
  boolean,
  type Bounds,
  checkPath,
  duration,
  filePath,
  integer,
  isPrintable,
  list,
  oneOf,
  parsed,
  prose,
  secret,
  size,
  time,
} from "./kinds.ts";
export { locateKeys, type Position } from "./locate.ts";
export { fromJson, type Json, recordToJson, recordToToml, same, toJson } from "./plain.ts";
export { formatProblem, type Problem, Report } from "./problem.ts";
export { field, record, type RecordKind, table, type ValueOf } from "./record.ts";
export { identityOf, records } from "./records.ts";
export { formatSize, parseSize } from "./size.ts";
export { suggest } from "./suggest.ts";
export { tablesBelow, tablesByKey, type TitledTable } from "./tables.ts";
export { recordOfText, textOfRecord } from "./text.ts";
export { unusedFields } from "./unused.ts";
export { wrapProse, wrapWords } from "./wrap.ts";
