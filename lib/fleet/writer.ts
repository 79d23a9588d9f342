import type { PostgresServer } from "../postgres/mod.ts";
import { FleetConnection, LONG_DEADLINE_MS, type Row } from "./connection.ts";
import { FLEET_FORMATS, type FleetFormats, formatOf } from "./format.ts";
import { FleetLinkError } from "./link_error.ts";
import { type AuditLine, type Edit, editsToJson } from "./log.ts";
import type { ListenerNames } from "./names.ts";
import { APPEND, APPEND_2, turnOf } from "./statements.ts";

/** An edit is written in some 20 µs; so much longer may a change of many take. */
const EDIT_MS = 1;
/** Tables from this version on know of turns and formats. */
export const TURNS_SINCE = 3;

/** An entry to append. */
export interface NewEntry {
  /** A UUID: saying it again does not make it twice. */
  readonly id: string;
  readonly epoch: number;
  /** The revision that it was made for. */
  readonly after: number;
  readonly time: number;
  readonly actor: string;
  readonly action: string;
  readonly edits: readonly Edit[];
  readonly audit: readonly AuditLine[];
}

/** What has become of a {@link NewEntry}. */
export type Appended =
  | { readonly status: "done" | "stale"; readonly revision: number }
  /** Not appended: these proxies, with their versions, would not understand it. */
  | { readonly status: "unfit"; readonly unfit: readonly string[] };

/** While it is held nobody else of the group appends. */
export interface Turn extends AsyncDisposable {
  /** Where the group is; absent: the tables know of no turns, and anybody may append. */
  readonly revision: number | undefined;
  /**
   * Appends, and ends the turn.
   *
   * @throws {FleetLinkError}
   */
  append(entry: NewEntry): Promise<Appended>;
}

/** Settings of a {@link FleetWriter}. */
export interface FleetWriterOptions {
  readonly server: PostgresServer;
  readonly group: string;
  readonly proxy: string;
  readonly names: ListenerNames;
  readonly deadlineMs?: number;
  readonly formats?: FleetFormats;
  /** The version of the tables. */
  readonly version: () => Promise<number>;
}

/**
 * Appends to the log of a group, on one connection of its own: what is sent after `BEGIN` is in that
 * transaction. Should the connection be lost meanwhile, the driver makes another one, and an entry that
 * is sent there counts as ever: for the revision that it was made for, or not at all.
 */
export class FleetWriter implements AsyncDisposable {
  readonly #options: FleetWriterOptions;
  readonly #connection: FleetConnection;

  constructor(options: FleetWriterOptions) {
    this.#options = options;
    this.#connection = new FleetConnection(options.server, { ...options, connections: 1 });
  }

  /** @throws {FleetLinkError} */
  async append(entry: NewEntry): Promise<Appended> {
    const { group, proxy, names, version, formats = FLEET_FORMATS } = this.#options;
    const { epoch, after, id, time, actor, action, edits, audit } = entry;
    const values = [
      ...[group, epoch, after, id, time, proxy, actor, action],
      ...[JSON.stringify(editsToJson(edits, names)), JSON.stringify(audit)],
    ];
    const takesMs = this.#connection.deadlineMs + edits.length * EDIT_MS;
    const deadlineMs = Math.min(LONG_DEADLINE_MS, takesMs);
    const format = formatOf(edits, formats);
    const isOfOld = await version() < TURNS_SINCE;
    if (isOfOld && format > 1) {
      throw new FleetLinkError(
        "the fleet's tables do not tell whether all proxies understand this change: apply this " +
          "version's deploy/postgres/fleet.sql as their owner",
      );
    }
    const [row] = isOfOld
      ? await this.#connection.ask(APPEND_2, values, deadlineMs)
      : await this.#connection.ask(APPEND, [...values, format], deadlineMs);
    return appendedOf(row);
  }

  /**
   * Waits until nobody else appends.
   *
   * @throws {FleetLinkError}
   */
  async takeTurn(): Promise<Turn> {
    if (await this.#options.version() < TURNS_SINCE) {
      const append = (entry: NewEntry) => this.append(entry);
      return { revision: undefined, append, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
    let isOver = false;
    const end = async (statement: string) => {
      if (isOver) return;
      isOver = true;
      await this.#connection.ask(statement);
    };
    const rows = await this.#connection.ask(turnOf(this.#options.group)).catch(async (error) => {
      await end("ROLLBACK").catch(() => {});
      throw error;
    });
    // Of several statements that are sent together each has an answer of its own.
    const [row] = rows.at(-1) as unknown as readonly Row[];
    return {
      revision: Number(row?.revision),
      append: async (entry) => {
        const appended = await this.append(entry);
        await end("COMMIT");
        return appended;
      },
      // What has gone wrong with it nobody needs to know: the server ends what is left open.
      [Symbol.asyncDispose]: () => end("ROLLBACK").catch(() => {}),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

function appendedOf(row: Row | undefined): Appended {
  if (row?.status === "unfit") {
    return { status: "unfit", unfit: JSON.parse(String(row.unfit)) as string[] };
  }
  return { status: row?.status === "done" ? "done" : "stale", revision: Number(row?.revision) };
}
