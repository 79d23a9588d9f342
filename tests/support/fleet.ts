/**
 * A group of proxies in a PostgreSQL of a test's own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { AdminServer } from "../../lib/admin/mod.ts";
import { createClient } from "../../lib/client/mod.ts";
import { openFleet } from "../../lib/cli/fleet.ts";
import { type Config, loadConfig } from "../../lib/config/mod.ts";
import { Control, type ControlOptions } from "../../lib/control/mod.ts";
import { type Database, openDatabase } from "../../lib/db/mod.ts";
import type { LogRecord } from "../../lib/observe/mod.ts";
import { InlinePlane } from "../../lib/workers/mod.ts";
import { eventually } from "./deadline.ts";
import { FLEET_SCHEMA, FleetLink, type FleetLinkOptions } from "../../lib/fleet/mod.ts";
import type { TestPostgres } from "./postgres.ts";

/** What roles of proxies log in with. */
export const ROLE_PASSWORD = "of a test";

/** Makes the tables, groups, and a role for each proxy of each. */
export async function createFleet(
  postgres: TestPostgres,
  groups: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const statements = Object.entries(groups).flatMap(([group, roles]) => [
    `SELECT mc_proxy_fleet.create_group('${group}');`,
    ...roles.flatMap((role) => [
      `CREATE ROLE ${role} LOGIN PASSWORD '${ROLE_PASSWORD}';`,
      `SELECT mc_proxy_fleet.admit('${group}', '${role}');`,
    ]),
  ]);
  await postgres.run([FLEET_SCHEMA, ...statements].join("\n"));
}

/** How a proxy of a group connects. */
export function linkOptions(
  { address }: TestPostgres,
  { group = "edge", role }: { readonly group?: string; readonly role: string },
): FleetLinkOptions {
  const { host, port, database } = address;
  return {
    server: { host, port, database, user: role, password: ROLE_PASSWORD },
    group,
    proxy: role,
  };
}

/** A connection of a proxy to its group. */
export function openLink(
  postgres: TestPostgres,
  options: { readonly group?: string; readonly role: string },
): FleetLink {
  return new FleetLink(linkOptions(postgres, options));
}

/** Settings of {@link startMember}. */
export interface MemberOptions {
  readonly role: string;
  /** Where its database is; it stays. */
  readonly folder: string;
  /** Where its listener `edge` is. */
  readonly port: number;
  readonly group?: string;
  /** After so long without having caught up it is not healthy. */
  readonly maxLag?: string;
  /** Where it has files of the group, by their names. */
  readonly files?: Readonly<Record<string, string>>;
  /** How often members tell each other how they are. Default: as ever. */
  readonly beatMs?: number;
  /** Where it has further listeners of the group, by their names. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Further settings of `[state.postgres]`. */
  readonly sharing?: string;
  /** Further tables of its configuration. */
  readonly more?: string;
  /** Routes of its listener, if it is the first. */
  readonly routes?: string;
  /** How long is waited when certificates are ordered. */
  readonly orders?: ControlOptions["orders"];
  /** Tells the others how it is, rather than that it is well. */
  readonly saysHealth?: boolean;
  /** Told of its connection to the group before it is used. */
  readonly onLink?: (link: FleetLink) => void;
  /** Compiles a change; tests make it fail. */
  readonly compile?: ControlOptions["compile"];
  /** How long an answer of PostgreSQL is waited for. Default: as ever. */
  readonly deadlineMs?: number;
  /** Where PostgreSQL is said to be. Default: where it is. */
  readonly through?: { readonly host: string; readonly port: number };
}

/** A control plane and a data plane of a group, in this process. */
export class FleetMember implements AsyncDisposable {
  readonly name: string;
  readonly control: Control;
  readonly logs: LogRecord[];
  readonly link: FleetLink;
  readonly config: Config;
  readonly #database: Database;

  constructor(
    parts: Pick<FleetMember, "name" | "control" | "logs" | "link" | "config"> & {
      readonly database: Database;
    },
  ) {
    this.name = parts.name;
    this.control = parts.control;
    this.logs = parts.logs;
    this.link = parts.link;
    this.config = parts.config;
    this.#database = parts.database;
  }

  /** Of the group, as far as it has come here. */
  get revision(): number {
    return this.control.state.revision;
  }

  /** The address of the first listener. */
  get addr(): string {
    return this.control.listeners[0]?.addr ?? "";
  }

  /** How many other proxies it knows to be there. */
  get others(): number {
    return (this.control.fleetFigures?.members ?? 1) - 1;
  }

  /** What it holds, in order, with the same names for the same things at all members. */
  content(): string {
    const { listeners = [], rules = [], rateLimit } = this.#database.state();
    const bare = (it: object) => {
      return Object.fromEntries(
        Object.entries(it).filter(([key]) => !["id", "listenerId", "hits"].includes(key)),
      );
    };
    return JSON.stringify({
      listeners: listeners.map(({ addr: _, routes, ...listener }) => ({
        ...bare(listener),
        routes: routes.map(({ policies = [], ...route }) => {
          return { ...bare(route), policies: policies.map(({ type, value }) => [type, value]) };
        }),
      })),
      // Their order means nothing, and a ban that a proxy took alone was there before it was sent.
      rules: rules.map((rule) => JSON.stringify(bare(rule))).sort(),
      rateLimit,
    });
  }

  /** What it serves, by hostname. */
  served(): string[] {
    return this.control.listeners.flatMap(({ routes }) => routes.map(({ hostname }) => hostname));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control.drain(0);
    await this.link[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
  }
}

const FIRST_ROUTE = `[[listeners.routes]]
  hostname = "first.example"
  backend = "127.0.0.1:1"`;

/** Starts a member as the program does. */
export async function startMember(
  postgres: TestPostgres,
  {
    role,
    folder,
    port,
    group = "edge",
    through,
    deadlineMs,
    compile,
    saysHealth = false,
    beatMs,
    orders,
    ...options
  }: MemberOptions,
): Promise<FleetMember> {
  const { maxLag = "0s", files = {}, more = "", routes = FIRST_ROUTE } = options;
  const listeners = Object.entries({ edge: `127.0.0.1:${port}`, ...options.listeners })
    .map(([name, addr]) => `${name} = "${addr}"`);
  const passwordFile = `${folder}/password`;
  await Deno.writeTextFile(passwordFile, `${ROLE_PASSWORD}\n`);
  const { host, port: postgresPort } = through ?? postgres.address;
  const loaded = loadConfig(`database.path = "${folder}/a.db"
    [state]
    source = "postgres"
    [state.postgres]
    host = "${host}"
    port = ${postgresPort}
    user = "${role}"
    password_file = "${passwordFile}"
    database = "${postgres.address.database}"
    tls = false
    group = "${group}"
    ${options.sharing ?? ""}
    [state.local]
    name = "${role}"
    max_lag = "${maxLag}"
    listeners = { ${listeners.join(", ")} }
    [state.local.files]
    ${Object.entries(files).map(([name, path]) => `${name} = "${path}"`).join("\n")}
    [[listeners]]
    addr = "127.0.0.1:${port}"
    ${routes}
    ${more}
  `);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { config } = loaded;
  const logs: LogRecord[] = [];
  const log = (record: LogRecord) => logs.push(record);
  await using stack = new AsyncDisposableStack();
  const database = stack.use(openDatabase(config.database.path));
  const fleet = await openFleet(config, {
    database,
    log,
    ...deadlineMs !== undefined && { deadlineMs },
  });
  assert.ok(fleet !== undefined);
  options.onLink?.(fleet.link);
  stack.use(fleet);
  const control = await Control.start({
    ...{ config, database, log },
    fleet: { ...fleet, ...beatMs !== undefined && { beatMs } },
    ...orders && { orders },
    onEvent: () => {},
    ...compile && { compile },
    startPlane: (snapshot, sinks) => InlinePlane.start(snapshot, { ...sinks, idPrefix: role }),
  });
  stack.defer(() => control.drain(0));
  await control.keep(() => Promise.resolve(undefined));
  control.issuance?.start();
  control.follow(() => saysHealth ? control.problem : "");
  stack.move();
  return new FleetMember({ name: role, control, logs, link: fleet.link, config, database });
}

/** The admin API of a member, and a client of it. */
export async function startAdminOf({ control, logs }: FleetMember, folder: string) {
  const server = await AdminServer.start({
    ...{ control, socketPath: `${folder}/admin.sock`, version: "0.0.0-test" },
    log: (record) => logs.push(record),
  });
  const client = createClient({ socketPath: server.path, actor: "test" });
  return {
    client,
    socketPath: server.path,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
    },
  };
}

/** Waits until all members have the same revision in effect, at least this one. */
export async function inStep(members: readonly FleetMember[], revision: number): Promise<void> {
  const revisions = () => members.map((member) => member.revision);
  await eventually(
    () => revisions().every((it) => it >= revision && it === members[0]?.revision),
    `all of ${members.length} at one revision from ${revision} on`,
  );
}

/** A route that needs nothing. */
export function plainRoute(hostname: string) {
  return {
    ...{ hostname, backend: "127.0.0.1:1", mode: "l4", tlsCert: "", tlsKey: "" } as const,
    ...{ backendTls: false, sendProxyProtocol: false },
  };
}
