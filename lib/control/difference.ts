import type { AuditEntry } from "../db/mod.ts";
import type { Edit } from "../fleet/mod.ts";
import { type Json, type RecordKind, type RecordShape, recordToJson, same } from "../schema/mod.ts";
import type { RuleSettings } from "../state/mod.ts";
import type { ChangeSet } from "./change_set.ts";

/** What kind of thing a difference is about. */
export type DifferenceKind =
  | "listener"
  | "route"
  | "firewall_rule"
  | "l7_policy"
  | "rate_limit"
  | "dns_set";

/** One difference between the state as it is and as it is wanted, and how to make it. */
export interface Difference {
  readonly action: "add" | "update" | "remove";
  readonly kind: DifferenceKind;
  /** What is meant, such as `:443 www.example.net`. */
  readonly subject: string;
  /** What is there before and after, for the audit log. */
  readonly before?: Json;
  readonly after?: Json;
  /** The connections it is about: those of a listener, or of one of its routes. */
  readonly touches?: { readonly listenerId: number; readonly route?: string };
  /** Whether it is about a rule that comes and goes, whatever the truth about the state is. */
  readonly isPassing?: boolean;
  /** Of a rule: what there is before and after. */
  readonly rule?: { readonly before?: RuleSettings; readonly after?: RuleSettings };
  /** What it is to the log of a group. */
  readonly edits: readonly Edit[];
  /** Writes the rows, in a transaction, and notes what the data plane has to know. */
  write(changes: ChangeSet): void;
}

/** What the audit log says of a difference that an operation has made true. */
export function auditEntry(
  { subject, before, after }: Difference,
  { actor, action, time }: {
    readonly actor: string;
    readonly action: string;
    readonly time: number;
  },
): Omit<AuditEntry, "id"> {
  return { time, actor, action, subject, before: toText(before), after: toText(after) };
}

function toText(value: Json | undefined): string {
  return value === undefined ? "" : JSON.stringify(value);
}

/** What the audit log and differences show: the names of the protocol, and no secret. */
export function shown<T extends object>({ shape }: RecordKind<T>, value: object): Json {
  return recordToJson(shape, value, { hideSecrets: true });
}

/** Whether two records say the same, but for what is kept apart from them. */
export function sameFields(
  { shape }: { readonly shape: RecordShape },
  a: object,
  b: object,
): boolean {
  const [left, right] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  return [...shape.fields].every(([property, { apart }]) =>
    apart === true || same(left?.[property], right?.[property])
  );
}
