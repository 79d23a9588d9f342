import type { Json } from "../schema/mod.ts";
import type { ListenerNames } from "./names.ts";
import {
  type FleetObject,
  keyOf,
  type ObjectKey,
  readObject,
  UnknownObjectError,
  valueOf,
} from "./objects.ts";

/**
 * One step of a revision: a thing is put where it is not or instead of what it was, cut together with
 * what is below it, or stripped of that.
 */
export type Edit =
  | { readonly do: "put"; readonly object: FleetObject }
  | { readonly do: "cut" | "strip"; readonly key: ObjectKey };

/** Puts a thing where it is not, or instead of what it was. */
export function put(object: FleetObject): Edit {
  return { do: "put", object };
}

/** Cuts a thing, together with what is below it. */
export function cut(key: ObjectKey): Edit {
  return { do: "cut", key };
}

/** Takes from a thing what is below it. */
export function strip(key: ObjectKey): Edit {
  return { do: "strip", key };
}

/** What the audit log says of one difference: subject, before, after. */
export type AuditLine = readonly [subject: string, before: string, after: string];

/** What a proxy has: how far it has followed which history. */
export interface Position {
  /** Of the group, in one database. */
  readonly group: string;
  readonly epoch: number;
  readonly revision: number;
  /** Of the entry of that revision; empty at the revision 0. */
  readonly entry: string;
}

/** One revision of a group. */
export interface Entry {
  readonly revision: number;
  readonly id: string;
  readonly time: number;
  readonly proxy: string;
  readonly actor: string;
  readonly action: string;
  readonly edits: readonly Edit[];
  readonly audit: readonly AuditLine[];
}

/** What PostgreSQL says of a group to a proxy at a position. */
export interface Head {
  readonly group: string;
  readonly epoch: number;
  readonly revision: number;
  /** The id of the entry at the proxy's own revision; absent: there is none. */
  readonly at: string | undefined;
  /** The oldest revision that the log still has; 0: it has none. */
  readonly oldest: number;
}

/** The database is not the one that this proxy has followed so far; the message has the cure. */
export class ForeignHistoryError extends Error {
  override readonly name = "ForeignHistoryError";
}

/** Edits as they lie in PostgreSQL. */
export function editsToJson(edits: readonly Edit[], names: ListenerNames): Json {
  return edits.map((edit) =>
    edit.do === "put"
      ? ["put", names.outward(keyOf(edit.object)), valueOf(edit.object)]
      : [edit.do, names.outward(edit.key)]
  );
}

/**
 * The edits of {@link editsToJson}.
 *
 * @throws {UnknownObjectError}
 */
export function editsFromJson(json: unknown, names: ListenerNames): Edit[] {
  if (!Array.isArray(json)) throw new UnknownObjectError("a revision holds no list of edits");
  return json.map((given) => {
    const [verb, key, value] = Array.isArray(given) ? given : [];
    const isKey = Array.isArray(key) && key.length > 0 &&
      key.every((part) => typeof part === "string");
    if (isKey && verb === "put") return { do: verb, object: readObject(names.inward(key), value) };
    if (isKey && (verb === "cut" || verb === "strip")) return { do: verb, key: names.inward(key) };
    throw new UnknownObjectError(
      `the edit ${
        JSON.stringify(verb)
      } is unknown: a newer version made it, and this proxy needs an upgrade`,
    );
  });
}

/**
 * Entries as they come from PostgreSQL.
 *
 * @throws {UnknownObjectError}
 */
export function entriesFromJson(rows: readonly unknown[][], names: ListenerNames): Entry[] {
  return rows.map(([revision, id, time, proxy, actor, action, edits, audit]) => ({
    revision: Number(revision),
    id: String(id),
    time: Number(time),
    ...{ proxy: String(proxy), actor: String(actor), action: String(action) },
    edits: editsFromJson(edits, names),
    audit: auditFromJson(audit),
  }));
}

function auditFromJson(json: unknown): AuditLine[] {
  const isLine = (line: unknown): line is AuditLine =>
    Array.isArray(line) && line.length === 3 && line.every((it) => typeof it === "string");
  if (Array.isArray(json) && json.every(isLine)) return json;
  throw new UnknownObjectError("a revision does not say what it means for the audit log");
}

/** How a proxy at a position goes on. */
export type Way = "follow" | "take_all";

/**
 * How a proxy at a position goes on with a group as it is found.
 *
 * @throws {ForeignHistoryError} if the group's history is not the continuation of the proxy's.
 */
export function wayFrom(position: Position, head: Head): Way {
  const { group, epoch, revision } = position;
  if (group !== head.group) {
    throw new ForeignHistoryError(
      "the group in PostgreSQL is another than the one that this proxy belongs to: " +
        "mend state.postgres, or remove this proxy's database to have it join that group",
    );
  }
  if (head.epoch > epoch) return "take_all";
  // The log no longer reaches back to where we are: nothing is known against it.
  const isPruned = head.oldest > revision && head.revision >= revision;
  const isSame = head.epoch === epoch && head.revision >= revision &&
    (head.at === position.entry || isPruned || revision === 0);
  if (isSame) return head.oldest > revision + 1 ? "take_all" : "follow";
  throw new ForeignHistoryError(
    `PostgreSQL was restored to an older point: this proxy has revision ${revision} of the group, ` +
      `which PostgreSQL, at revision ${head.revision}, does not know. Export what is served here ` +
      "(`mcproxyctl export`), restore a newer backup, or take what PostgreSQL has with " +
      "`SELECT mc_proxy_fleet.accept_restored('GROUP')`",
  );
}

/**
 * Entries as one or more steps, in each of which a thing is mentioned at most once: what is put again
 * after it was cut begins another, so that things keep the order in which they were added.
 *
 * @throws {ForeignHistoryError} if one is missing, or comes twice.
 */
export function stepsOf(after: number, entries: readonly Entry[]): Step[] {
  const steps: Step[] = [];
  let open: OpenStep | undefined;
  let expected = after;
  for (const entry of entries) {
    expected++;
    if (entry.revision !== expected) {
      throw new ForeignHistoryError(
        `the log goes on with revision ${entry.revision} where ${expected} is due`,
      );
    }
    if (open === undefined || !open.takes(entry)) steps.push(open = new OpenStep());
    open.add(entry);
  }
  return steps;
}

/** Entries that are made true together. */
export interface Step {
  readonly entries: readonly Entry[];
  /** What is at the end, by key. Cut things come with nothing. */
  readonly edits: readonly Edit[];
}

class OpenStep implements Step {
  readonly entries: Entry[] = [];
  readonly #puts = new Map<string, Edit>();
  readonly #cuts = new Map<string, Edit>();

  get edits(): readonly Edit[] {
    return [...this.#cuts.values(), ...this.#puts.values()];
  }

  /** Whether nothing of it is put that was cut here, alone or with what it is part of. */
  takes({ edits }: Entry): boolean {
    return this.#cuts.size === 0 ||
      edits.every((edit) => edit.do !== "put" || !this.#isGone(keyOf(edit.object)));
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    for (const edit of entry.edits) {
      if (edit.do === "put") {
        this.#puts.set(textOf(keyOf(edit.object)), edit);
        continue;
      }
      const text = textOf(edit.key);
      if (edit.do === "cut") this.#puts.delete(text);
      // Only what has something below it is worth a look at all the others.
      if (edit.key[0] === "listener") {
        for (const known of this.#puts.keys()) {
          if (known.startsWith(text) && known !== text) this.#puts.delete(known);
        }
      }
      this.#cuts.set(`${edit.do} ${text}`, edit);
    }
  }

  #isGone(key: ObjectKey): boolean {
    return key.some((_, i) => {
      const above = textOf(key.slice(0, i + 1));
      const isItself = i === key.length - 1;
      return this.#cuts.has(`cut ${above}`) || (!isItself && this.#cuts.has(`strip ${above}`));
    });
  }
}

/** Of which that of what is below begins with it. */
function textOf(key: ObjectKey): string {
  return key.map((part) => `${JSON.stringify(part)},`).join("");
}
