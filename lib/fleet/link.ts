import type { PostgresServer } from "../postgres/mod.ts";
import { type Exchanged, type Neighbour, readExchanged } from "./bulletin.ts";
import { FleetConnection, LONG_DEADLINE_MS, type Row } from "./connection.ts";
import { FLEET_FORMATS, type FleetFormats } from "./format.ts";
import { FleetLinkError, noGroup, standby } from "./link_error.ts";
import { entriesFromJson, type Entry, type Head } from "./log.ts";
import { ListenerNames, type NamedListener } from "./names.ts";
import { type Member, memberOf, type Report } from "./member.ts";
import { type FleetObject, readObject } from "./objects.ts";
import { GroupOrders } from "./orders.ts";
import { GroupSecrets } from "./secrets.ts";
import { type PreparedTables, prepareTables } from "./prepare.ts";
import {
  BULLETINS_SINCE,
  CALL_ATTENTION,
  EXCHANGE,
  FOLLOW,
  FORGET,
  HEAD,
  MEMBERS,
  OLD_MEMBERS,
  REPORT,
  REPORT_2,
  SET_DRAIN,
  SNAPSHOT,
} from "./statements.ts";
import { type Appended, FleetWriter, type NewEntry, type Turn, TURNS_SINCE } from "./writer.ts";

/** A group's state at one revision, without the way that led to it. */
export interface GroupSnapshot {
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
  /** What of the state came when. Default: {@link FLEET_FORMATS}. */
  readonly formats?: FleetFormats;
}

/** Questions that are asked at once: one that takes long does not keep others waiting. */
const CONNECTIONS = 2;

/** A group in PostgreSQL, as one proxy of it meets it. Every question has a deadline. */
export class FleetLink implements AsyncDisposable {
  readonly options: FleetLinkOptions;
  /** Whose turn it is to order certificates. */
  readonly orders: GroupOrders;
  /** What the group shares. */
  readonly secrets: GroupSecrets;
  readonly #names: ListenerNames;
  readonly #connection: FleetConnection;
  readonly #writer: FleetWriter;
  #tables: PreparedTables | undefined;

  constructor(options: FleetLinkOptions) {
    this.options = options;
    this.#names = new ListenerNames(options.listeners);
    this.#connection = new FleetConnection(options.server, {
      ...options,
      connections: CONNECTIONS,
    });
    const version = () => this.#version();
    this.#writer = new FleetWriter({ ...options, names: this.#names, version });
    this.orders = new GroupOrders(this.#connection, options);
    this.secrets = new GroupSecrets(this.#connection, options);
  }

  /**
   * The tables and the group, made or brought up to date where the role may; what does not work then,
   * and how to mend it.
   *
   * @throws {FleetLinkError} if nothing does.
   */
  async prepare(): Promise<string | undefined> {
    const ask = (statement: string, deadlineMs?: number) =>
      this.#connection.ask(statement, [], deadlineMs);
    this.#tables = await prepareTables({ ask, ...this.#admitted });
    return this.#tables.problem;
  }

  /**
   * Where revisions are announced.
   *
   * @throws {FleetLinkError}
   */
  async channel(): Promise<string> {
    return (await this.#readHead(0)).channel;
  }

  /**
   * How far the group is, and what it has at a revision.
   *
   * @throws {FleetLinkError}
   */
  async head(at: number): Promise<Head> {
    return (await this.#readHead(at)).head;
  }

  /**
   * What there is after a revision, which may be much.
   *
   * @throws {FleetLinkError}
   * @throws {UnknownObjectError}
   */
  async follow(after: number): Promise<{ head: Head; entries: Entry[] }> {
    const values = [this.options.group, after];
    const [row] = await this.#connection.ask(FOLLOW, values, LONG_DEADLINE_MS);
    return {
      head: this.#headOf(row).head,
      entries: entriesFromJson(JSON.parse(String(row?.entries)), this.#names),
    };
  }

  /**
   * All that the group consists of.
   *
   * @throws {FleetLinkError}
   * @throws {UnknownObjectError}
   */
  async snapshot(): Promise<GroupSnapshot> {
    const values = [this.options.group, 0];
    const [row] = await this.#connection.ask(SNAPSHOT, values, LONG_DEADLINE_MS);
    const objects: [string[], unknown][] = JSON.parse(String(row?.objects ?? "[]"));
    return {
      ...this.#headOf(row),
      entry: String(row?.entry ?? ""),
      objects: objects.map(([key, value]) => readObject(this.#names.inward(key), value)),
    };
  }

  /** @throws {FleetLinkError} */
  append(entry: NewEntry): Promise<Appended> {
    return this.#writer.append(entry);
  }

  /**
   * Waits until nobody else appends.
   *
   * @throws {FleetLinkError}
   */
  takeTurn(): Promise<Turn> {
    return this.#writer.takeTurn();
  }

  /** @throws {FleetLinkError} */
  async report({ version, epoch, revision, health, uptimeMs }: Report): Promise<void> {
    const { group, proxy, formats = FLEET_FORMATS } = this.options;
    const values = [group, proxy, version, epoch, revision, health, Math.round(uptimeMs)];
    if (await this.#version() < TURNS_SINCE) await this.#connection.ask(REPORT_2, values);
    else await this.#connection.ask(REPORT, [...values, formats.known]);
  }

  /**
   * Reports, and tells the other proxies something, each a JSON text: `shared` is for them, `status` for
   * whoever asks. Of them it does not ask for what is known already. Nothing: the tables are older.
   *
   * @throws {FleetLinkError}
   */
  async exchange(
    { version, epoch, revision, health, uptimeMs }: Report,
    { shared, status, known }: {
      readonly shared: string;
      readonly status: string;
      readonly known: ReadonlyMap<string, Neighbour>;
    },
  ): Promise<Exchanged | undefined> {
    if (await this.#version() < BULLETINS_SINCE) return undefined;
    const { group, proxy, formats = FLEET_FORMATS } = this.options;
    const stamps = Object.fromEntries(known.values().map(({ proxy, stamp }) => [proxy, stamp]));
    const [row] = await this.#connection.ask(EXCHANGE, [
      ...[group, proxy, version, epoch, revision, health, Math.round(uptimeMs), formats.known],
      ...[shared, status, JSON.stringify(stamps)],
    ]);
    return readExchanged(String(row?.answer), known);
  }

  /**
   * Has the other proxies hear what this one has told, before their second is over.
   *
   * @throws {FleetLinkError}
   */
  async callAttention(): Promise<void> {
    await this.#connection.ask(CALL_ATTENTION, [this.options.group]);
  }

  /**
   * Wants a proxy drained, or not any more. The revision that says so; 0: it is so already; nothing:
   * there is no such proxy.
   *
   * @throws {FleetLinkError}
   */
  async setDrain(
    proxy: string,
    { isDrained, time, actor }: {
      readonly isDrained: boolean;
      readonly time: number;
      readonly actor: string;
    },
  ): Promise<number | undefined> {
    const version = await this.#version();
    if (version < BULLETINS_SINCE) {
      const message = `the tables are of version ${version}, in which no proxy can be drained: ` +
        "apply this version's deploy/postgres/fleet.sql as their owner";
      throw new FleetLinkError(message);
    }
    const { group, proxy: own } = this.options;
    const values = [group, proxy, String(isDrained), crypto.randomUUID(), time, own, actor];
    const [row] = await this.#connection.ask(SET_DRAIN, values);
    return row?.revision === null ? undefined : Number(row?.revision);
  }

  /**
   * The proxies that have ever reported, by name.
   *
   * @throws {FleetLinkError}
   */
  async members(): Promise<Member[]> {
    const statement = await this.#version() < BULLETINS_SINCE ? OLD_MEMBERS : MEMBERS;
    return (await this.#connection.ask(statement, [this.options.group])).map(memberOf);
  }

  /**
   * Whether there was such a proxy.
   *
   * @throws {FleetLinkError}
   */
  async forget(proxy: string): Promise<boolean> {
    const [row] = await this.#connection.ask(FORGET, [this.options.group, proxy]);
    return row?.found === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#connection[Symbol.asyncDispose](),
      this.#writer[Symbol.asyncDispose](),
    ]);
  }

  /** Of the tables that were found last. */
  async #version(): Promise<number> {
    if (this.#tables === undefined) await this.prepare();
    return this.#tables?.version ?? 0;
  }

  get #admitted() {
    const { group, server: { user } } = this.options;
    return { group, user };
  }

  async #readHead(at: number): Promise<{ head: Head; channel: string }> {
    const [row] = await this.#connection.ask(HEAD, [this.options.group, at]);
    return this.#headOf(row);
  }

  #headOf(row: Row | undefined): { head: Head; channel: string } {
    if (row === undefined) throw noGroup(this.#admitted);
    if (row.standby === true) {
      // Where the name leads is looked up for each connection.
      this.#connection.abandon();
      throw standby(this.options.server);
    }
    const [epoch, revision, oldest] = [row.epoch, row.revision, row.oldest].map(Number);
    const at = typeof row.at === "string" ? row.at : undefined;
    return {
      head: { group: String(row.group), epoch, revision, oldest, at } as Head,
      channel: String(row.channel),
    };
  }
}
