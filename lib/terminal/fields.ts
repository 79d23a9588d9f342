import { type Command, Option } from "commander";
import {
  type AnyField,
  formatDuration,
  formatSize,
  recordOfText,
  type RecordShape,
  textOfRecord,
} from "../schema/mod.ts";
import { asArgument, duration, parseInteger } from "./arguments.ts";
import type { Column } from "./table.ts";
import { parseSize, yesNo } from "./units.ts";

/** What commander makes of flags. */
export type FlagValues = Readonly<Record<string, unknown>>;

/** How the flags of a record are added. */
export interface FlagOptions {
  /** Keys of fields that are arguments of the command. */
  readonly except?: readonly string[];
  /** Also those that take a boolean back, as an update needs. */
  readonly off?: boolean;
}

/** Adds a flag for each field of a record that has one. */
export function addFieldFlags(
  command: Command,
  shape: RecordShape,
  { except = [], off = false }: FlagOptions = {},
): Command {
  for (const field of shape.fields.values()) {
    if (field.flag === undefined || except.includes(field.key)) continue;
    command.addOption(optionOf(field));
    if (off && field.flag.off !== undefined) {
      command.option(`--no-${flagName(field)}`, field.flag.off);
    }
  }
  return command;
}

/** What the flags say of a record, by property; nothing for those that were not given. */
export function fieldsOf(shape: RecordShape, flags: FlagValues): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [property, field] of shape.fields) {
    if (field.flag === undefined) continue;
    const given = flags[flagName(field).replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())];
    if (given !== undefined) values[property] = given;
  }
  return values;
}

/** The columns of a list of records, in the order of their fields but for those named `first`. */
export function columnsOf<T>(
  shape: RecordShape,
  first: readonly string[],
): readonly Column<T>[] {
  const titled = [...shape.fields].filter(([, { title }]) => title !== undefined);
  const place = ([, { key }]: (typeof titled)[number]) => {
    const found = first.indexOf(key);
    return found < 0 ? first.length : found;
  };
  return titled.toSorted((a, b) => place(a) - place(b)).map(([property, field]) => ({
    title: field.title ?? field.key,
    value: (record) => shownValue(field, (record as Record<string, unknown>)[property]),
    right: field.kind.form === "integer",
  }));
}

function shownValue({ kind }: AnyField, value: unknown): string {
  if (value === undefined) return "";
  switch (kind.form) {
    case "boolean":
      return yesNo(value === true);
    case "duration":
      return formatDuration(Number(value));
    case "size":
      return formatSize(Number(value));
    case "list":
      return (value as readonly string[]).join(", ");
    case "record":
      return textOfRecord(kind.shape as RecordShape, value as object);
    case "records":
      return (value as readonly object[])
        .map((it) => textOfRecord(kind.shape as RecordShape, it)).join(" ");
    default:
      return String(value);
  }
}

function optionOf(field: AnyField): Option {
  const { kind, flag } = field;
  const { value = "value", about = "" } = flag ?? {};
  const name = flagName(field);
  if (kind.form === "boolean") return new Option(`--${name}`, about);
  const option = new Option(`--${name} <${value}>`, about + keysOf(field));
  if (kind.words !== undefined) return option.choices(kind.words);
  switch (kind.form) {
    case "integer":
      return option.argParser(parseInteger);
    case "duration":
      return option.argParser(duration);
    case "size":
      return option.argParser((text) => asArgument(() => parseSize(text)));
    case "list":
      return option.argParser((text, before?: readonly string[]) => [...before ?? [], text]);
    case "record":
      return option.argParser((text) => parseRecord(kind.shape as RecordShape, text));
    case "records":
      return option.argParser((text, before?: readonly object[]) =>
        [
          ...before ?? [],
          parseRecord(kind.shape as RecordShape, text) ?? [],
        ].flat()
      );
    default:
      return option;
  }
}

/** What the text of a record may say. */
function keysOf({ kind }: AnyField): string {
  if (kind.form !== "record" && kind.form !== "records") return "";
  const { fields } = kind.shape as RecordShape;
  return `; keys: ${[...fields.values()].map(({ key }) => key).join(", ")}`;
}

function flagName({ key, flag }: AnyField): string {
  return flag?.name ?? key.replaceAll("_", "-");
}

/** An empty text takes back what there was. */
function parseRecord(shape: RecordShape, text: string): object | null {
  return text === "" ? null : asArgument(() => recordOfText(shape, text));
}
