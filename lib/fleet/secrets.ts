import type { FleetConnection } from "./connection.ts";

/** One thing that a group shares, as it lies in PostgreSQL. */
export interface FoundSecret {
  readonly name: string;
  readonly version: number;
  readonly sealed: string;
  /** Of this one: another one in its place has another. */
  readonly id: string;
  /** Who has put it. */
  readonly proxy: string;
}

/** What was put after a place. */
export interface SecretPage {
  /** The last one of all that were put: less than where a proxy is, if the database was restored. */
  readonly place: number;
  /** Up to where these reach. */
  readonly read: number;
  readonly secrets: readonly FoundSecret[];
}

/** That are read at once. */
const PAGE = 100;

const READ = `SELECT
  coalesce((SELECT p.place FROM mc_proxy_fleet.secret_places p
    WHERE p.group_name = $1::text), 0)::float8 AS place,
  (SELECT coalesce(json_agg(json_build_array(s.name, s.version, s.sealed, s.id, s.proxy, s.place)
    ORDER BY s.place), '[]')::text FROM (
      SELECT * FROM mc_proxy_fleet.secrets s
      WHERE s.group_name = $1::text AND s.place > $2::bigint ORDER BY s.place LIMIT ${PAGE}
    ) s) AS secrets`;
const PUT = `SELECT mc_proxy_fleet.put_secret($1::text, $2::text, nullif($3::text, '')::uuid,
  $4::bigint, $5::text, $6::text) AS ok`;

/** What the proxies of a group share, in PostgreSQL. */
export class GroupSecrets {
  readonly #connection: FleetConnection;
  readonly #group: string;
  readonly #proxy: string;

  constructor(
    connection: FleetConnection,
    { group, proxy }: { readonly group: string; readonly proxy: string },
  ) {
    this.#connection = connection;
    this.#group = group;
    this.#proxy = proxy;
  }

  /**
   * What was put after a place, in the order in which it was.
   *
   * @throws {FleetLinkError}
   */
  async read(after: number): Promise<SecretPage> {
    const [row] = await this.#connection.ask(READ, [this.#group, after]);
    const rows: [string, number, string, string, string, number][] = JSON.parse(
      String(row?.secrets ?? "[]"),
    );
    const secrets = rows.map(([name, version, sealed, id, proxy]) => {
      return { name, version: Number(version), sealed, id, proxy };
    });
    const place = Number(row?.place ?? 0);
    const last = rows.at(-1)?.[5];
    return { place, secrets, read: rows.length < PAGE || last === undefined ? place : last };
  }

  /**
   * Puts one in the place of what was seen there; whether that still was there.
   *
   * @throws {FleetLinkError}
   */
  async put(
    { name, version, sealed }: Pick<FoundSecret, "name" | "version" | "sealed">,
    seen: string | undefined,
  ): Promise<boolean> {
    const values = [this.#group, name, seen ?? "", version, sealed, this.#proxy];
    const [row] = await this.#connection.ask(PUT, values);
    return row?.ok === true;
  }
}
