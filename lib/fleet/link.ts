import { openPostgres, type PostgresClient, type PostgresServer } from "../postgres/mod.ts";
import type { Json } from "../schema/mod.ts";
import {
  type AuditLine,
  type Edit,
  editsFromJson,
  editsToJson,
  type Entry,
  type Head,
} from "./log.ts";
import { ListenerNames, type NamedListener } from "./names.ts";
import { type FleetObject, readObject } from "./objects.ts";
import { FLEET_SCHEMA } from "./schema.ts";

/** Every answer comes within this time, or is not waited for. */
const DEADLINE_MS = 3_000;
/** The server gives up before we do, and then keeps its connection. */
const STATEMENT_SHARE = 0.75;
/** One for changes and one for questions, so that neither waits for the other. */
const CONNECTIONS = 2;
/** Entries that are read at once. */
const PAGE = 500;
/** A whole state takes its time, and so do changes of many things: an edit is written in some 20 µs. */
const WHOLE_DEADLINE_MS = 60_000;
const EDIT_MS = 1;

/** PostgreSQL did not answer, or refused; the message says what and how to mend it. */
export class FleetLinkError extends Error {
  override readonly name = "FleetLinkError";
  /** Whether a change that was asked for may have been made. */
  readonly isUncertain: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isUncertain?: boolean } = {}) {
    super(message, options);
    this.isUncertain = options.isUncertain ?? false;
  }
}

/** A change to append. */
export interface Draft {
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

/** What has become of a {@link Draft}. */
export type Appended =
  | { readonly status: "done"; readonly revision: number }
  | { readonly status: "stale"; readonly revision: number };

/** What a proxy says of itself. */
export interface Report {
  readonly version: string;
  readonly epoch: number;
  readonly revision: number;
  /** Empty: it is well. */
  readonly health: string;
  readonly uptimeMs: number;
}

/** A proxy as the others see it. Times are milliseconds since 1970, by PostgreSQL's clock. */
export interface Member extends Omit<Report, "uptimeMs"> {
  readonly proxy: string;
  readonly startedAt: number;
  /** How long ago it has said so. */
  readonly silentMs: number;
}

/** A group's whole state at one revision. */
export interface Whole {
  readonly head: Head;
  readonly channel: string;
  /** Id of the entry of that revision; empty: there is none. */
  readonly entry: string;
  readonly objects: readonly FleetObject[];
}

/** Settings of a {@link FleetLink}. */
export interface FleetLinkOptions {
  readonly server: PostgresServer;
  readonly group: string;
  /** How this proxy is called. */
  readonly proxy: string;
  /** Listeners that the group knows by a name. */
  readonly listeners?: readonly NamedListener[];
  /** Default: 3,000. */
  readonly deadlineMs?: number;
}

const THERE = "SELECT to_regclass('mc_proxy_fleet.groups') IS NOT NULL AS ok";

const HEAD =
  `SELECT g.id::text AS "group", g.epoch::float8 AS epoch, g.revision::float8 AS revision,
  g.channel,
  (SELECT l.id::text FROM mc_proxy_fleet.log l
    WHERE l.group_name = g.group_name AND l.revision = $2::bigint) AS at,
  coalesce((SELECT min(l.revision) FROM mc_proxy_fleet.log l
    WHERE l.group_name = g.group_name), 0)::float8 AS oldest
  FROM mc_proxy_fleet.groups g WHERE g.group_name = $1::text`;

/** In one statement: head and entries are of the same moment. */
const FOLLOW = `SELECT h.*, (
    SELECT coalesce(json_agg(json_build_array(e.revision, e.id, e.time, e.proxy, e.actor, e.action,
      e.edits, e.audit) ORDER BY e.revision), '[]')::text FROM (
      SELECT * FROM mc_proxy_fleet.log l
      WHERE l.group_name = $1::text AND l.revision > $2::bigint
      ORDER BY l.revision LIMIT ${PAGE}
    ) e
  ) AS entries FROM (${HEAD}) h`;

const WHOLE = `SELECT h.*, (
    SELECT l.id::text FROM mc_proxy_fleet.log l
    WHERE l.group_name = $1::text AND l.revision = h.revision
  ) AS entry, (
    SELECT coalesce(json_agg(json_build_array(o.key, o.value) ORDER BY o.place), '[]')::text
    FROM mc_proxy_fleet.objects o WHERE o.group_name = $1::text
  ) AS objects FROM (${HEAD}) h`;

const APPEND = `SELECT status, revision::float8 AS revision FROM mc_proxy_fleet.append(
  $1::text, $2::bigint, $3::bigint, $4::uuid, $5::bigint, $6::text, $7::text, $8::text,
  $9::text::jsonb, $10::text::jsonb)`;

const REPORT = `SELECT mc_proxy_fleet.report($1::text, $2::text, $3::text, $4::bigint, $5::bigint,
  $6::text, $7::bigint)`;

const MEMBERS =
  `SELECT proxy, version, epoch::float8 AS epoch, revision::float8 AS revision, health,
  extract(epoch FROM started_at)::float8 * 1000 AS "startedAt",
  extract(epoch FROM clock_timestamp() - seen_at)::float8 * 1000 AS "silentMs"
  FROM mc_proxy_fleet.members WHERE group_name = $1::text ORDER BY proxy COLLATE "C"`;

/** A group in PostgreSQL, as one proxy of it meets it. Every question has a deadline. */
export class FleetLink implements AsyncDisposable {
  readonly options: FleetLinkOptions;
  readonly #deadlineMs: number;
  readonly #names: ListenerNames;
  #client: PostgresClient | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: FleetLinkOptions) {
    this.options = options;
    this.#names = new ListenerNames(options.listeners);
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /**
   * The tables and the group, made where they are missing and the role may make them.
   *
   * @throws {FleetLinkError}
   */
  async prepare(): Promise<void> {
    const { group, server: { user } } = this.options;
    try {
      const [found] = await this.#ask(THERE);
      if (found?.ok === true) return;
      // One transaction, as statements that are sent together are.
      await this.#ask(`SELECT pg_advisory_xact_lock(6010223);
        ${FLEET_SCHEMA}
        SELECT mc_proxy_fleet.create_group(${literal(group)});
        SELECT mc_proxy_fleet.admit(${literal(group)}, ${literal(user)});`);
    } catch (cause) {
      if (cause instanceof FleetLinkError && cause.isUncertain) throw cause;
      throw new FleetLinkError(
        "the database holds no fleet, and this role may not make one: apply " +
          "deploy/postgres/fleet.sql as its owner, make the group with " +
          `mc_proxy_fleet.create_group('${group}') and let the role in with ` +
          `mc_proxy_fleet.admit('${group}', '${user}')`,
        { cause },
      );
    }
  }

  /**
   * Where revisions are announced.
   *
   * @throws {FleetLinkError}
   */
  async channel(): Promise<string> {
    const [row] = await this.#ask(HEAD, [this.options.group, 0]);
    return this.#head(row).channel;
  }

  /**
   * How far the group is, and what it has at a revision.
   *
   * @throws {FleetLinkError}
   */
  async head(at: number): Promise<Head> {
    const [row] = await this.#ask(HEAD, [this.options.group, at]);
    return this.#head(row).head;
  }

  /**
   * What there is after a revision, which may be much.
   *
   * @throws {FleetLinkError}
   * @throws {UnknownObjectError}
   */
  async follow(after: number): Promise<{ head: Head; entries: Entry[] }> {
    const [row] = await this.#ask(FOLLOW, [this.options.group, after], WHOLE_DEADLINE_MS);
    return { head: this.#head(row).head, entries: this.#entries(String(row?.entries)) };
  }

  /**
   * Everything.
   *
   * @throws {FleetLinkError}
   * @throws {UnknownObjectError}
   */
  async whole(): Promise<Whole> {
    const [row] = await this.#ask(WHOLE, [this.options.group, 0], WHOLE_DEADLINE_MS);
    const objects: [string[], unknown][] = JSON.parse(String(row?.objects ?? "[]"));
    return {
      ...this.#head(row),
      entry: String(row?.entry ?? ""),
      objects: objects.map(([key, value]) => readObject(this.#names.inward(key), value)),
    };
  }

  /** @throws {FleetLinkError} */
  async append(draft: Draft): Promise<Appended> {
    const { group, proxy } = this.options;
    const { epoch, after, id, time, actor, action, edits, audit } = draft;
    const values = [
      ...[group, epoch, after, id, time, proxy, actor, action],
      ...[JSON.stringify(editsToJson(edits, this.#names)), JSON.stringify(audit)],
    ];
    const deadlineMs = Math.min(WHOLE_DEADLINE_MS, this.#deadlineMs + edits.length * EDIT_MS);
    const [row] = await this.#ask(APPEND, values, deadlineMs);
    const status = row?.status === "done" ? "done" : "stale";
    return { status, revision: Number(row?.revision) };
  }

  /** @throws {FleetLinkError} */
  async report({ version, epoch, revision, health, uptimeMs }: Report): Promise<void> {
    const { group, proxy } = this.options;
    const values = [group, proxy, version, epoch, revision, health, Math.round(uptimeMs)];
    await this.#ask(REPORT, values);
  }

  /**
   * The proxies that have ever reported, by name.
   *
   * @throws {FleetLinkError}
   */
  async members(): Promise<Member[]> {
    return (await this.#ask(MEMBERS, [this.options.group])) as unknown as Member[];
  }

  /**
   * Whether there was such a proxy.
   *
   * @throws {FleetLinkError}
   */
  async forget(proxy: string): Promise<boolean> {
    const [row] = await this.#ask("SELECT mc_proxy_fleet.forget($1::text, $2::text) AS found", [
      this.options.group,
      proxy,
    ]);
    return row?.found === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#abandon();
    await this.#ending;
  }

  #entries(json: string): Entry[] {
    const rows: unknown[][] = JSON.parse(json);
    return rows.map((row) => entryOf(row, this.#names));
  }

  #head(row: Row | undefined): { head: Head; channel: string } {
    if (row === undefined) {
      const { group, server: { user } } = this.options;
      throw new FleetLinkError(
        `the role ${user} knows no group ${JSON.stringify(group)}: make it with ` +
          `mc_proxy_fleet.create_group('${group}') and let the role in with ` +
          `mc_proxy_fleet.admit('${group}', '${user}')`,
      );
    }
    const at = typeof row.at === "string" ? row.at : undefined;
    const [epoch, revision, oldest] = [row.epoch, row.revision, row.oldest].map(Number);
    return {
      head: { group: String(row.group), epoch, revision, oldest, at } as Head,
      channel: String(row.channel),
    };
  }

  async #ask(
    statement: string,
    values: readonly (string | number)[] = [],
    deadlineMs: number = this.#deadlineMs,
  ): Promise<readonly Row[]> {
    if (this.#isClosed) throw new FleetLinkError("the proxy is shutting down");
    const client = this.#client ??= this.#open();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      if (this.#client === client) this.#abandon();
      const message = `PostgreSQL has not answered within ${deadlineMs} ms`;
      late.reject(new FleetLinkError(message, { isUncertain: true }));
    }, deadlineMs);
    try {
      const query = values.length === 0
        ? client.sql.unsafe(statement).simple()
        : client.sql.unsafe(statement, values.map(String), { prepare: true });
      return await Promise.race([query, late.promise]) as unknown as Row[];
    } catch (cause) {
      throw cause instanceof FleetLinkError ? cause : refusalOf(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nothing on these connections can be trusted to answer: the next question gets new ones. */
  #abandon(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) this.#ending = Promise.all([this.#ending, client.destroy()]);
  }

  #open(): PostgresClient {
    return openPostgres({
      server: this.options.server,
      connections: CONNECTIONS,
      connectTimeoutMs: this.#deadlineMs,
      statementTimeoutMs: Math.ceil(WHOLE_DEADLINE_MS * STATEMENT_SHARE),
      applicationName: "mc-proxy fleet",
      isWriter: true,
    });
  }
}

type Row = Readonly<Record<string, unknown>>;

function entryOf(given: readonly unknown[], names: ListenerNames): Entry {
  const [revision, id, time, proxy, actor, action, edits, audit] = given;
  return {
    revision: Number(revision),
    id: String(id),
    time: Number(time),
    ...{ proxy: String(proxy), actor: String(actor), action: String(action) },
    edits: editsFromJson(edits, names),
    audit: (audit as Json[][]).map(([subject, before, after]) => {
      return [String(subject), String(before), String(after)];
    }),
  };
}

/** A statement that the server has refused has changed nothing; of a broken connection nobody knows. */
function refusalOf(cause: unknown): FleetLinkError {
  const { code = "", message = "" } = cause as { code?: string; message?: string };
  const isRefused = /^[0-9A-Z]{5}$/.test(code) && !code.startsWith("57P");
  const words = isRefused
    ? `PostgreSQL refuses: ${message}`
    : `PostgreSQL cannot be reached: ${message}`;
  return new FleetLinkError(words, { cause, isUncertain: !isRefused });
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
